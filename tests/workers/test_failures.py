"""Whatever a photo does to its worker, the worker lives, and what became of the photo is recorded and logged."""

import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from photofleet import storage
from photofleet.announce import announce_photo
from photofleet.catalog.models import Photo, Stage
from photofleet.catalog.photos import get_photo
from photofleet.catalog.stages import GAVE_UP, MAX_ATTEMPTS, start_stage
from photofleet.images.formats import Format
from tests.conftest import running
from tests.faulty_decoder import Fault
from tests.photofleet.broker.queues import Queues
from tests.pictures import corners, encode, noise
from tests.workers.conftest import Upload

WORKER = (sys.executable, "-m", "celery", "--app", "tests.workers.impatient", "worker", "--queues", "resize")
OPTIONS = ("--concurrency", "1")
QUIET = ("--hostname", "resize@test", "--without-gossip", "--without-mingle", "--without-heartbeat")


@pytest.fixture
def worker(tmp_path: Path, queues: Queues) -> Iterator[Path]:
    """The resize fleet's worker, with a decoder that has faults and short time limits; yields its log."""
    log = tmp_path / "log"
    command = ("sh", "-c", f'exec "$0" "$@" 2> {log}', *WORKER, *OPTIONS, *QUIET)
    environment = {
        "CELERY_LOADER": "tests.faulty_decoder:Loader",
        "PHOTOFLEET_RECEIVE_WAIT": "1",
        "PHOTOFLEET_RETRY_BACKOFF": "0.1",
        "PHOTOFLEET_VISIBILITY_TIMEOUT": "6",
    }
    with running(command, lambda: "ready." in log.read_text() if log.exists() else False, environment):
        yield log


@pytest.fixture
def stage_of(session: Session) -> Callable[[Photo], Stage]:
    def find(photo: Photo) -> Stage:
        session.rollback()
        session.expire_all()
        found = get_photo(session, photo.id)
        assert found is not None
        (stage,) = (stage for stage in found.stages if stage.name == "resize")
        return stage

    return find


@pytest.fixture
def until_ended(stage_of: Callable[[Photo], Stage]) -> Callable[[Photo], Stage]:
    def wait(photo: Photo) -> Stage:
        deadline = time.monotonic() + 120
        while (stage := stage_of(photo)).state not in ("done", "failed"):
            assert time.monotonic() < deadline, "it did not end in time"
            time.sleep(0.2)
        return stage

    return wait


def announced(photo: Photo) -> Photo:
    assert announce_photo(photo.id, "r1")
    return photo


@pytest.mark.parametrize(
    ("fault", "attempts", "says_why", "is_logged"),
    [
        pytest.param(Fault.CRASH, MAX_ATTEMPTS, "died or hung", "signal 9", id="crashes it"),
        # Each of these takes as long as the time limit.
        pytest.param(Fault.HANG, 2, "died or hung", "time limit", id="hangs it"),
        pytest.param(Fault.FILL_MEMORY, MAX_ATTEMPTS, "MemoryError", "MemoryError", id="takes more memory than it may"),
    ],
)
def test_a_photo_is_given_up_and_the_next_is_done_where_it(
    worker: Path,
    session: Session,
    upload: Upload,
    until_ended: Callable[[Photo], Stage],
    queues: Queues,
    fault: Fault,
    attempts: int,
    says_why: str,
    is_logged: str,
) -> None:
    bad = upload(fault.put_into(encode(corners(), Format.JPEG)))
    for _ in range(MAX_ATTEMPTS - attempts):
        start_stage(session, bad.id, "resize")
    session.commit()
    announced(bad)
    good = announced(upload(encode(noise(400, 300, seed="good"), Format.JPEG)))

    assert until_ended(good).state == "done"
    stage = until_ended(bad)
    assert (stage.state, stage.error, stage.attempts) == ("failed", GAVE_UP, MAX_ATTEMPTS)
    assert says_why in (stage.last_error or "")
    eventually_counts(queues, "RESIZE_DEAD_LETTER", (1, 0))
    eventually_counts(queues, "RESIZE_QUEUE", (0, 0))
    lines = [line for line in worker.read_text().splitlines() if str(bad.id) in line]
    assert any(is_logged in line for line in lines), "the log says what happened to which photo"
    assert any("given up" in line for line in lines)


def test_a_damaged_photo_is_failed_at_once_and_no_dead_letter(
    worker: Path, upload: Upload, until_ended: Callable[[Photo], Stage], queues: Queues
) -> None:
    photo = announced(upload(encode(corners(800, 600), Format.JPEG)[:2000]))

    stage = until_ended(photo)

    assert (stage.state, stage.attempts) == ("failed", 1)
    assert "damaged or incomplete" in (stage.error or "")
    assert stage.last_error, "engineers see what the decoder said"
    eventually_counts(queues, "RESIZE_QUEUE", (0, 0))
    assert queues.counts("RESIZE_DEAD_LETTER") == (0, 0)


def test_what_is_missing_for_a_while_is_tried_again_until_it_is_there(
    worker: Path, upload: Upload, until_ended: Callable[[Photo], Stage], queues: Queues
) -> None:
    data = encode(corners(), Format.JPEG)
    photo = upload(data)
    storage.delete_original(photo.id)
    announced(photo)
    time.sleep(1)
    storage.put_original(photo.id, BytesIO(data), "image/jpeg", sha256(data).digest())

    stage = until_ended(photo)
    assert stage.state == "done"
    assert stage.attempts > 1
    eventually_counts(queues, "RESIZE_QUEUE", (0, 0))


def eventually_counts(queues: Queues, name: str, expected: tuple[int, int]) -> None:
    deadline = time.monotonic() + 20
    while queues.counts(name) != expected:
        assert time.monotonic() < deadline, (name, queues.counts(name))
        time.sleep(0.2)
