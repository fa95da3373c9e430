"""A worker with a thread for each of many photos, as with a GPU: whatever ends it, no photo is lost or wrong."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from subprocess import Popen

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from photofleet.announce import announce_photo
from photofleet.broker.control import ask_workers
from photofleet.catalog.models import Embedding, Photo, Stage
from photofleet.catalog.photos import get_photo
from photofleet.images.formats import Format
from tests.conftest import running
from tests.photofleet.broker.queues import Queues
from tests.pictures import encode, noise
from tests.workers.conftest import Upload

THREADS = 6
WORKER = (sys.executable, "-m", "celery", "--app", "tests.workers.label.held", "worker", "--queues", "label")
OPTIONS = ("--pool", "threads", "--concurrency", str(THREADS), "--hostname", "label@test")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")

Start = Callable[..., AbstractContextManager[Popen[bytes]]]


class Network:
    """The worker's network, seen from here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def hold(self) -> None:
        (self.folder / "hold").touch()

    def go_on(self) -> None:
        (self.folder / "hold").unlink()

    @property
    def batches(self) -> Sequence[int]:
        noted = self.folder / "batches"
        return [int(line) for line in noted.read_text().split()] if noted.exists() else []


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return Network(tmp_path)


@pytest.fixture
def start(tmp_path: Path, queues: Queues) -> Start:
    """A function that starts a worker for the length of a with block."""

    @contextmanager
    def start(limit: float = 60) -> Iterator[Popen[bytes]]:
        log = tmp_path / f"log-{time.monotonic_ns()}"
        command = ("sh", "-c", f'exec "$0" "$@" 2> {log}', *WORKER, *OPTIONS, *QUIET)
        environment = {
            "TEST_NETWORK_FOLDER": str(tmp_path),
            "TEST_NETWORK_LIMIT": str(limit),
            "OMP_NUM_THREADS": "1",
            "PHOTOFLEET_LABEL_BATCH": str(THREADS // 2),
            "PHOTOFLEET_RECEIVE_WAIT": "1",
            "PHOTOFLEET_RETRY_BACKOFF": "0.1",
            "PHOTOFLEET_VISIBILITY_TIMEOUT": "6",
        }
        with running(command, lambda: "ready." in log.read_text() if log.exists() else False, environment) as worker:
            yield worker

    return start


@pytest.fixture
def announced(upload: Upload) -> Sequence[Photo]:
    """Photos that wait for the label fleet: more than the worker has threads."""
    photos = [upload(encode(noise(400, 300, seed=str(number)), Format.JPEG)) for number in range(2 * THREADS)]
    for photo in photos:
        assert announce_photo(photo.id, "r1")
    return photos


@pytest.fixture
def stage_of(session: Session) -> Callable[[Photo], Stage]:
    def find(photo: Photo) -> Stage:
        session.rollback()
        session.expire_all()
        found = get_photo(session, photo.id)
        assert found is not None
        (stage,) = (stage for stage in found.stages if stage.name == "label")
        return stage

    return find


def embeddings_of(session: Session, photo: Photo) -> int:
    return session.scalar(select(func.count()).where(Embedding.photo_id == photo.id)) or 0


def eventually(is_so: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)


def test_a_worker_that_is_killed_amid_a_batch_loses_no_photo(
    start: Start,
    network: Network,
    announced: Sequence[Photo],
    stage_of: Callable[[Photo], Stage],
    session: Session,
    queues: Queues,
) -> None:
    network.hold()
    with start() as worker:
        eventually(lambda: bool(network.batches))
        eventually(lambda: sum(stage_of(photo).state == "running" for photo in announced) == THREADS)
        (report,) = ask_workers()
        assert len(report.tasks) == THREADS, "operators see each photo"
        worker.kill()
        worker.wait()
    assert not any(stage_of(photo).state == "done" for photo in announced)
    network.go_on()

    with start():
        eventually(lambda: all(stage_of(photo).state == "done" for photo in announced))
        eventually(lambda: queues.counts("LABEL_QUEUE") == (0, 0))

    assert sorted(stage_of(photo).attempts for photo in announced) == [1] * THREADS + [2] * THREADS
    assert all(embeddings_of(session, photo) == 1 for photo in announced), "each is recorded once"
    assert queues.counts("LABEL_DEAD_LETTER") == (0, 0)
    assert max(network.batches) == THREADS // 2, "photos were looked at together"


def test_a_worker_that_is_told_to_stop_finishes_what_it_has_and_leaves_the_rest_to_others(
    start: Start, network: Network, announced: Sequence[Photo], stage_of: Callable[[Photo], Stage], queues: Queues
) -> None:
    network.hold()
    with start() as worker:
        eventually(lambda: sum(stage_of(photo).state == "running" for photo in announced) == THREADS)
        worker.send_signal(signal.SIGTERM)
        time.sleep(1)
        network.go_on()
        assert worker.wait(30) == 0

    assert sorted(stage_of(photo).state for photo in announced) == ["done"] * THREADS + ["waiting"] * THREADS
    assert queues.counts("LABEL_QUEUE") == (THREADS, 0), "they can be had at once"


def test_a_worker_whose_network_hangs_ends_as_failed_and_costs_no_photo_an_attempt(
    start: Start, network: Network, announced: Sequence[Photo], stage_of: Callable[[Photo], Stage], queues: Queues
) -> None:
    network.hold()
    with start(limit=2) as worker:
        assert worker.wait(60) == os.EX_OK + 1

    assert {(stage_of(photo).state, stage_of(photo).attempts) for photo in announced} == {("waiting", 0)}
    eventually(lambda: queues.counts("LABEL_QUEUE") == (len(announced), 0))


def test_a_message_that_comes_twice_at_once_is_recorded_once(
    start: Start,
    network: Network,
    upload: Upload,
    stage_of: Callable[[Photo], Stage],
    session: Session,
    queues: Queues,
) -> None:
    photo = upload(encode(noise(400, 300, seed="twice"), Format.JPEG))
    network.hold()
    with start():
        assert announce_photo(photo.id, "r1")
        assert announce_photo(photo.id, "r2")
        eventually(lambda: stage_of(photo).attempts == 2)
        network.go_on()
        eventually(lambda: stage_of(photo).state == "done")
        eventually(lambda: queues.counts("LABEL_QUEUE") == (0, 0))

    assert embeddings_of(session, photo) == 1
    assert queues.counts("LABEL_DEAD_LETTER") == (0, 0)
