"""A small instance metadata service that keeps the rules of IMDSv2, and that can be made to fail."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.loopback import Handler, serve

INSTANCE_ID = "i-0123456789abcdef0"
SPOT = "spot/instance-action"
SPOT_NOTICE = '{"action": "terminate", "time": "2026-11-22T08:22:00Z"}'
REBALANCE = "events/recommendations/rebalance"
REBALANCE_NOTICE = '{"noticeTime": "2026-11-22T08:20:00Z"}'
TARGET_STATE = "autoscaling/target-lifecycle-state"


class MetadataService:
    """What it tells is in `values`, by its path below meta-data/."""

    address: str

    def __init__(self) -> None:
        self.values = {"instance-id": INSTANCE_ID, TARGET_STATE: "InService"}
        self.tokens: set[str] = set()
        self.granted = 0
        self.asked: list[str] = []
        self.status: int | None = None
        """Where not None, the answer to everything."""
        self.token: str | None = None
        """Where not None, what it gives for a token."""
        self.works = threading.Event()
        """While it is not set, there are no answers."""
        self.works.set()

    @contextmanager
    def running(self) -> Iterator["MetadataService"]:
        service = self

        class MetadataHandler(Handler):
            def do_PUT(self) -> None:  # noqa: N802 -- http.server's name
                service.works.wait()
                seconds = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
                if service.status is not None:
                    self.answer(service.status)
                elif self.path != "/latest/api/token":
                    self.answer(404)
                elif not seconds.isdecimal() or not 1 <= int(seconds) <= 21600:
                    self.answer(400)
                elif "X-Forwarded-For" in self.headers:
                    self.answer(403)
                else:
                    token = service.token if service.token is not None else secrets.token_urlsafe(40)
                    service.tokens.add(token)
                    service.granted += 1
                    self.answer(200, token)

            def do_GET(self) -> None:  # noqa: N802 -- http.server's name
                service.works.wait()
                path = self.path.removeprefix("/latest/meta-data/")
                service.asked.append(path)
                if service.status is not None:
                    self.answer(service.status, Location="/latest/meta-data/instance-id")
                elif self.headers.get("X-aws-ec2-metadata-token") not in service.tokens:
                    self.answer(401)
                elif path not in service.values:
                    self.answer(404)
                else:
                    self.answer(200, service.values[path])

        with serve(MetadataHandler) as self.address:
            try:
                yield self
            finally:
                self.works.set()
