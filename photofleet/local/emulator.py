"""The program that is the embedded AWS: ministack, made safe to leave running and to kill.

What ministack does of itself, and why that is not enough here:

- It writes its state down only when it is stopped in order. We take a snapshot soon after every change, and one before
  CloudFormation answers anything: a stack that a caller was told of outlives a crash. Objects in S3 are written as they
  arrive; one that cannot be written is refused, not acknowledged.
- It believes whoever says to be the account's root user, and checks the signatures of others only. We have it check
  every signature.
- Its administration needs no credentials, and one request to it deletes everything: any web page that is open in the
  developer's browser could send it. We refuse all of it but the readiness check.
- It speaks plain HTTP, which bucket policies that insist on TLS refuse. Nothing here leaves the machine, so we let it
  take each connection for an encrypted one, and the templates stay as AWS needs them.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from time import monotonic
from typing import Any, cast

from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from ministack import app as ministack
from ministack.core import hypercorn_compat, iam_evaluator, persistence
from ministack.services import s3

from photofleet.local.snapshots import Snapshots

SNAPSHOT_SECONDS = 2.0
ADMINISTRATION = ("/_ministack/", "/_localstack/", "/_aws/")
READY = "/_ministack/ready"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

logger = logging.getLogger(__name__)


class Emulator:
    """The ASGI application: ministack's, with the differences above."""

    def __init__(self, snapshots: Snapshots):
        self._snapshots = snapshots
        self._changed = asyncio.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await ministack.app(scope, receive, send)
            return
        if scope["path"].startswith(ADMINISTRATION) and scope["path"] != READY:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"The emulator's administration is switched off.\n"})
            return
        scope = {**scope, "scheme": "https"}
        await ministack.app(scope, receive, self._after_a_snapshot(send) if _is_cloudformation(scope) else send)
        self._changed.set()

    def _after_a_snapshot(self, send: Send) -> Send:
        async def send_later(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._snapshots.take()
            await send(message)

        return send_later

    async def take_snapshots(self) -> None:
        """Take a snapshot soon after each change, for ever; however large the state, most time is for requests."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            started = monotonic()
            try:
                self._snapshots.take()
            except Exception:
                logger.exception(
                    "No snapshot could be taken. Should the emulator be killed now, messages would be lost."
                )
                self._changed.set()
            await asyncio.sleep(max(SNAPSHOT_SECONDS, 10 * (monotonic() - started)))


def _is_cloudformation(scope: Message) -> bool:
    return any(
        name == b"authorization" and b"/cloudformation/aws4_request" in value for name, value in scope["headers"]
    )


def _check_every_signature() -> None:
    iam_evaluator._is_root_key = lambda _key: False  # noqa: SLF001 - asked only about whether a check can be left out


def _refuse_what_cannot_be_kept() -> None:
    persist = s3._persist_object  # noqa: SLF001 - it logs an error, and the upload is acknowledged all the same

    def persist_or_fail(bucket: str, key: str, record: dict[str, Any]) -> None:
        persist(bucket, key, record)
        if record["body"] is not None:  # it moves to the disk
            raise OSError(f"{key} could not be written to the disk.")

    s3._persist_object = persist_or_fail  # noqa: SLF001


async def main() -> None:
    """Serve until SIGTERM or SIGINT, and take a last snapshot."""
    snapshots = Snapshots(Path(os.environ["STATE_DIR"]))
    persistence.STATE_DIR = str(snapshots.newest)
    _check_every_signature()
    _refuse_what_cannot_be_kept()
    hypercorn_compat.install()
    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.loglevel = os.environ["LOG_LEVEL"]
    config.keep_alive_timeout = 75
    emulator = Emulator(snapshots)
    keeper = asyncio.create_task(emulator.take_snapshots())
    await serve(cast("ASGIFramework", emulator), config)
    keeper.cancel()
    snapshots.take()


if __name__ == "__main__":
    asyncio.run(main())
