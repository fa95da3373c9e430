"""The program that is the embedded AWS: ministack, made safe to leave running and to kill.

What ministack does of itself, and why that is not enough here:

- It writes its state down only when it is stopped in order, and begins anew where it cannot read it. We take a snapshot
  soon after every change, and one before it is said how a stack is or which key somebody has: one that a caller was
  told of outlives a crash. Objects in S3 are written as they arrive; one that cannot be written is refused, not
  acknowledged.
- It believes whoever says to be the account's root user, and checks the signatures of others only. We have it check
  every signature.
- It answers much that is not signed: any web page that is open in the developer's browser could make buckets, or delete
  everything through its administration. We pass signed requests on, and of the others answer three kinds only: whether
  it is ready, what a bucket's CORS rules say to a browser's preflight, and a visitor of a CloudFront distribution.
- It tells distributions apart by their host names, which not every browser finds on this machine (Safari does not take
  *.localhost for it). We serve each below a path of its own.
- It speaks plain HTTP, which bucket policies that insist on TLS refuse. Nothing here leaves the machine, so we let it
  take each connection for an encrypted one, and the templates stay as AWS needs them.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any, cast
from urllib.parse import parse_qs, quote

from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from ministack import app as ministack
from ministack.core import hypercorn_compat, iam_evaluator, persistence
from ministack.services import cloudfront, s3

from photofleet.local import nested_stacks, unsupported
from photofleet.local.snapshots import SnapshotError, Snapshots

SNAPSHOT_SECONDS = 2.0
ADMINISTRATION = ("/_ministack/", "/_localstack/", "/_aws/")
READY = "/_ministack/ready"
# No bucket has such a name.
DISTRIBUTIONS = "/_cloudfront/"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Response = tuple[int, MutableMapping[str, Any], bytes]

logger = logging.getLogger(__name__)


class Emulator:
    """The ASGI application: ministack's, with the differences above."""

    def __init__(self, snapshots: Snapshots):
        self._snapshots = snapshots
        self._changed = asyncio.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await ministack.app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close"})
        elif scope["path"].startswith(DISTRIBUTIONS):
            await _answer(send, await _visit_distribution(scope))
        elif scope["method"] == "OPTIONS":
            await _answer(send, _preflight(scope))
        elif scope["path"] == READY or (_is_signed(scope) and not scope["path"].startswith(ADMINISTRATION)):
            scope = {**scope, "scheme": "https"}
            await ministack.app(scope, receive, self._after_a_snapshot(send) if _must_last(scope) else send)
            self._changed.set()
        else:
            words = "Only requests to AWS that are signed (Signature Version 4) are answered."
            await _answer(send, _refusal(HTTPStatus.FORBIDDEN, words))

    def _after_a_snapshot(self, send: Send) -> Send:
        async def send_later(message: Message) -> None:
            if message["type"] == "http.response.start" and not self._snapshots.know_every_stack_and_key():
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


def _headers(scope: Message) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _is_signed(scope: Message) -> bool:
    """Say whether the request has a signature, in a header or in its address; ministack checks whether it is right."""
    authorization = next((value for name, value in scope["headers"] if name == b"authorization"), None)
    if authorization is not None:
        return bool(authorization.startswith(b"AWS4-HMAC-SHA256 "))
    return "X-Amz-Signature" in parse_qs(scope["query_string"].decode("latin-1"))


def _must_last(scope: Message) -> bool:
    authorization = _headers(scope).get("authorization", "")
    return any(f"/{service}/aws4_request" in authorization for service in ("cloudformation", "iam"))


async def _answer(send: Send, response: Response) -> None:
    await ministack._send_response(send, *response)  # noqa: SLF001 - it knows the shapes of ministack's headers


def _refusal(status: HTTPStatus, words: str) -> Response:
    return status, {"Content-Type": "text/plain"}, f"{words}\n".encode()


def _preflight(scope: Message) -> Response:
    bucket, _, key = scope["path"].lstrip("/").partition("/")
    response: Response = s3.cors_preflight(bucket, key, _headers(scope))
    return response


async def _visit_distribution(scope: Message) -> Response:
    """Answer as CloudFront does to /_cloudfront/{the domain's first label}/{path}."""
    label, _, path = scope["path"].removeprefix(DISTRIBUTIONS).partition("/")
    distribution = cloudfront.find_distribution_for_label(label)
    if distribution is None or scope["method"] not in ("GET", "HEAD"):
        return _refusal(HTTPStatus.NOT_FOUND, "There is no such distribution here.")
    iam_evaluator.pin_request_origin("127.0.0.1", True)
    headers = {**_headers(scope), "host": distribution["DomainName"], "x-forwarded-proto": "https"}
    query = scope["query_string"].decode("latin-1")
    response: Response = await cloudfront.handle_viewer_request(
        distribution, scope["method"], f"/{path}", quote(f"/{path}"), query, headers, b"", parse_qs(query)
    )
    return response


def _check_every_signature() -> None:
    iam_evaluator._is_root_key = lambda _key: False  # noqa: SLF001 - asked only about whether a check can be left out


def _leave_the_last_snapshot_to_us() -> None:
    persistence.save_state = lambda _service, _state: None


def _refuse_what_cannot_be_kept() -> None:
    persist = s3._persist_object  # noqa: SLF001 - it logs an error, and the upload is acknowledged all the same

    def persist_or_fail(bucket: str, key: str, record: dict[str, Any]) -> None:
        persist(bucket, key, record)
        if record["body"] is not None:  # it moves to the disk
            raise OSError(f"{key} could not be written to the disk.")

    s3._persist_object = persist_or_fail  # noqa: SLF001


def _note_every_call(path: Path) -> None:
    """Write down who asks for what, and whether the policies allow it, a JSON object in a line."""
    enforce = iam_evaluator.enforce
    notes = path.open("a", buffering=1, encoding="utf-8")

    def enforce_and_note(access_key_id: str, action: str, *args: Any, **kwargs: Any) -> Any:
        refusal = enforce(access_key_id, action, *args, **kwargs)
        notes.write(json.dumps({"key": access_key_id, "action": action, "allowed": refusal is None}) + "\n")
        return refusal

    iam_evaluator.enforce = enforce_and_note


async def main() -> None:
    """Serve until SIGTERM or SIGINT, and take a last snapshot.

    Raises:
        SnapshotError: there is a state, and it cannot be read.
    """
    snapshots = Snapshots(Path(os.environ["STATE_DIR"]))
    persistence.STATE_DIR = str(snapshots.newest)
    _check_every_signature()
    _leave_the_last_snapshot_to_us()
    _refuse_what_cannot_be_kept()
    if notes := os.environ.get("EMULATOR_NOTES"):  # for tests of the policies
        _note_every_call(Path(notes))
    nested_stacks.mend()
    unsupported.register()
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
    try:
        asyncio.run(main())
    except SnapshotError as error:
        sys.exit(str(error))
