"""Photos whose messages ended in a dead-letter queue, fleets at work, and a database that is not there."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from sqlalchemy.orm import Session

from photofleet.announce import announce_photo
from photofleet.catalog.database import get_engine
from photofleet.catalog.models import Photo
from photofleet.catalog.stages import GAVE_UP, MAX_ATTEMPTS, fail_stage, start_stage
from photofleet.operations import outages, refresh
from photofleet.settings import get_settings
from tests.photofleet.broker.queues import Queues
from tests.photofleet.catalog.factories import create_photo
from tests.photofleet.operations.fleet import Fleet

Bury = Callable[..., None]


@pytest.fixture
def bury(queues: Queues) -> Bury:
    """A function that puts a photo's real message where the resize fleet puts it in the end."""

    def put(photo: Photo, stage: str = "RESIZE") -> None:
        assert announce_photo(photo.id, photo.request_id)
        (body,) = queues.bodies(f"{stage}_QUEUE")
        for url in (get_settings().resize_queue_url, get_settings().label_queue_url):
            boto3.client("sqs").purge_queue(QueueUrl=url)
        queues.send(f"{stage}_DEAD_LETTER", body)

    return put


@pytest.fixture
def give_up(session: Session, bury: Bury) -> Callable[..., Photo]:
    """A function that makes a photo whose resizing was given up."""

    def make(last_error: str = "OSError('disk full')", **changes: Any) -> Photo:
        photo = create_photo(session, **changes)
        for _ in range(MAX_ATTEMPTS):
            start_stage(session, photo.id, "resize")
        fail_stage(session, photo.id, "resize", GAVE_UP, last_error)
        session.commit()
        bury(photo)
        return photo

    return make


@pytest.fixture
def fleet_at_work(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet of the tests that ask for it, working all the time."""
    with fleet.at_work():
        yield fleet


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh looks and tries again at once, so that no test waits for it."""
    monkeypatch.setattr(refresh, "POLL_S", 0.05)
    monkeypatch.setattr(outages, "PAUSE_S", 0.05)


@pytest.fixture
def dead_database(change_settings: Callable[..., None], unused_port: Callable[[], int]) -> Iterator[None]:
    """The catalog is where nothing listens."""
    get_engine().dispose()
    get_engine.cache_clear()
    change_settings(database_url=f"postgresql://photofleet@127.0.0.1:{unused_port()}/photofleet")
    yield
    get_engine().dispose()
    get_engine.cache_clear()
