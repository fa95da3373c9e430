import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from photofleet.announce import announce_photo
from photofleet.catalog.models import Photo
from photofleet.catalog.stages import GAVE_UP
from photofleet.operations.outages import Outage
from photofleet.operations.status import as_json, get_status
from tests.conftest import running
from tests.photofleet.broker.queues import BUSY_WITH, Queues
from tests.photofleet.catalog.factories import create_finished_photo, create_photo


def test_each_queue_has_its_numbers(queues: Queues, session: Session, give_up: Callable[..., Photo]) -> None:
    give_up()
    create_finished_photo(session)
    photo = create_photo(session)
    session.commit()
    assert announce_photo(photo.id, "r1")

    status = get_status(ask=False)

    resize, label = status.queues
    assert (resize.name, resize.waiting, resize.in_flight, resize.dead_letters) == ("resize", 1, 0, 1)
    assert (label.name, label.waiting, label.in_flight, label.dead_letters) == ("label", 1, 0, 0)
    assert resize.rate_per_minute == label.rate_per_minute == pytest.approx(1 / 5)
    assert resize.oldest_s is not None
    assert 0 <= resize.oldest_s < 60
    assert (status.workers, status.workers_error) == (None, None), "they were not asked"


def test_failures_are_told_by_stage_and_reason(queues: Queues, give_up: Callable[..., Photo]) -> None:
    give_up("OSError('disk full')")
    give_up("OSError('disk gone')")

    (failure,) = get_status(ask=False).failures

    assert (failure.stage, failure.reason, failure.photos) == ("resize", GAVE_UP, 2)
    assert failure.last_error == "OSError('disk gone')"


def test_where_nothing_is_owed_nothing_waits(queues: Queues, session: Session) -> None:
    status = get_status(ask=False)

    assert [queue.oldest_s for queue in status.queues] == [None, None]
    assert status.failures == ()


def test_the_status_is_json(queues: Queues, give_up: Callable[..., Photo]) -> None:
    give_up()
    status = get_status(ask=False)

    read = json.loads(json.dumps(as_json(status)))

    assert read["taken_at"] == status.taken_at.isoformat()
    assert read["queues"][0]["dead_letters"] == 1
    assert read["failures"][0]["latest"] == status.failures[0].latest.isoformat()
    assert read["workers"] is None


@pytest.fixture
def busy_worker(queues: Queues, tmp_path: Path) -> Iterator[None]:
    """A worker of the resize fleet that sleeps over its photo."""
    from photofleet.broker import PHOTO_UPLOADED, create_app

    notes, log = tmp_path / "notes", tmp_path / "log"
    notes.touch()
    command = ("-m", "celery", "--app", "tests.photofleet.broker.worker", "worker", "-n", "resize@here")
    options = ("--queues", "resize", "--without-gossip", "--without-mingle", "--without-heartbeat")
    shell = ("sh", "-c", f'exec "$0" "$@" 2> {log}', sys.executable, *command, *options)
    environment = {"NOTES": str(notes), "PHOTOFLEET_RECEIVE_WAIT": "1"}
    with running(shell, lambda: log.exists() and "ready." in log.read_text(), environment):
        create_app().send_task(PHOTO_UPLOADED, kwargs={"photo_id": BUSY_WITH, "request_id": "r1"})
        deadline = time.monotonic() + 20
        while BUSY_WITH not in notes.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield


def test_workers_say_what_they_do_now(session: Session, busy_worker: None) -> None:
    status = get_status()

    assert status.workers_error is None
    assert status.workers is not None
    (worker,) = (worker for worker in status.workers if worker.name == "resize@here")
    (task,) = worker.tasks
    assert worker.processes == 1
    assert task.photo_id == BUSY_WITH
    assert 0 <= task.running_s < 30
    assert as_json(status)["workers"][0]["tasks"][0]["photo_id"] == BUSY_WITH


def test_a_database_that_does_not_answer_is_named_in_a_sentence(queues: Queues, dead_database: None) -> None:
    with pytest.raises(Outage, match=r"^The database does not answer as it should: .*\S$") as raised:
        get_status(ask=False)
    assert "\n" not in str(raised.value)


def test_queues_that_are_not_there_are_named_in_a_sentence(
    session: Session, change_settings: Callable[..., None]
) -> None:
    change_settings(resize_queue_url=os.environ["PHOTOFLEET_RESIZE_QUEUE_URL"] + "-gone")

    with pytest.raises(Outage, match=r"^AWS does not answer as it should: .*does not exist"):
        get_status(ask=False)
