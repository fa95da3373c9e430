"""Whatever somebody puts into a queue, the fleet's workers bury it and go on; none of it is lost or followed."""

import base64
import bz2
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from photofleet.announce import announce_photo
from photofleet.catalog.photos import get_photo
from photofleet.images.formats import Format
from tests.conftest import running
from tests.photofleet.broker.queues import Queues
from tests.pictures import corners, encode
from tests.workers.conftest import Upload

PHOTO = "01a200c4-5fb6-7356-8676-ac222b39f140"
OURS: dict[str, Any] = {"photo_id": PHOTO, "request_id": "r1"}
NOTHING = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
CALLED = {"task": "photofleet.photo_uploaded", "args": [], "kwargs": OURS}


def message(
    args: object = (),
    kwargs: object = OURS,
    embed: dict[str, Any] = NOTHING,
    body: str | None = None,
    **headers: object,
) -> str:
    known = {"task": "photofleet.photo_uploaded", "id": "1", "lang": "py", "timelimit": [None, None]}
    return json.dumps(
        {
            "body": json.dumps([args, kwargs, embed]) if body is None else body,
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": known | headers,
            "properties": {"delivery_info": {}, "delivery_tag": "1", "body_encoding": "utf-8"},
        }
    )


def unpacking_message() -> str:
    """A message of 400 bytes, of which Python's codecs would make 400 MB."""
    packed = json.loads(message(body=base64.b64encode(bz2.compress(bytes(400_000_000))).decode()))
    packed |= {"content-type": "application/text", "content-encoding": "bz2_codec"}
    packed["properties"]["body_encoding"] = "base64"
    return json.dumps(packed)


FOREIGN = {
    "a body that is no JSON": message(body="{"),
    "no body": message(body=""),
    "a body of another shape": message(body="17"),
    "no arguments": message(kwargs={}),
    "arguments that are no object": message(kwargs=None),
    "arguments that nobody knows": message(kwargs=OURS | {"command": "rm"}),
    "a photo without an id": message(kwargs=OURS | {"photo_id": "../../etc"}),
    "a request without an id": message(kwargs=OURS | {"request_id": {"$": 1}}),
    "arguments in a row": message(args=["x"]),
    "a time limit": message(timelimit=["a", "b"]),
    "half a time limit": message(timelimit=[1]),
    "a time limit in a word": message(timelimit="abc"),
    "a time limit that is taken back": message(timelimit=["a", "b"], embed=NOTHING | {"timelimit": None}),
    "a time in the past that is taken back": message(expires="2001-01-01T00:00:00", embed=NOTHING | {"expires": None}),
    "a time in the future that is taken back": message(eta="2101-01-01T00:00:00", embed=NOTHING | {"eta": None}),
    "stamps that are taken back": message(stamped_headers=5, embed=NOTHING | {"stamped_headers": None}),
    "a time in the past": message(expires="2001-01-01T00:00:00"),
    "a time in the future": message(eta="2101-01-01T00:00:00"),
    "stamps": message(stamped_headers=5),
    "something to do next": message(embed=NOTHING | {"callbacks": [CALLED]}),
    "a task that is not known": message(task="photofleet.nonesuch"),
    "an encoding that compresses": unpacking_message(),
    "a compression": message(
        body=base64.b64encode(bz2.compress(bytes(400_000_000))).decode(), compression="application/x-bz2"
    ),
}


@pytest.fixture
def worker(tmp_path: Path, queues: Queues) -> Iterator[Path]:
    """The resize fleet's worker, with one process; yields its log."""
    log = tmp_path / "log"
    program = (sys.executable, "-m", "celery", "--app", "workers.resize", "worker", "--queues", "resize")
    options = ("--concurrency", "1", "--without-gossip", "--without-mingle", "--without-heartbeat")
    command = ("sh", "-c", f'exec "$0" "$@" 2> {log}', *program, *options)
    environment = {"PHOTOFLEET_RECEIVE_WAIT": "1"}
    with running(command, lambda: "ready." in log.read_text() if log.exists() else False, environment):
        yield log


def eventually(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def test_what_is_foreign_is_buried_and_the_next_photo_is_done(
    worker: Path, upload: Upload, session: Session, queues: Queues
) -> None:
    for body in FOREIGN.values():
        queues.send("RESIZE_QUEUE", body)
    photo = upload(encode(corners(), Format.JPEG))
    assert announce_photo(photo.id, "r1")

    def is_done() -> bool:
        session.rollback()
        session.expire_all()
        found = get_photo(session, photo.id)
        return found is not None and any(stage.state == "done" for stage in found.stages)

    eventually(is_done, "the photo is not done")
    eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 0), "something is left in the queue")
    buried = queues.all_bodies("RESIZE_DEAD_LETTER")
    missing = [what for what, body in FOREIGN.items() if body not in buried]
    assert not missing, worker.read_text()[-5000:]
    assert len(buried) == len(FOREIGN)
