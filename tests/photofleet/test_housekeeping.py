import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from photofleet.catalog.search import search_photos
from photofleet.catalog.thresholds import adjust_threshold
from photofleet.housekeeping import keep_house
from photofleet.settings import get_settings
from tests.photofleet.broker.conftest import eventually
from tests.photofleet.broker.queues import Queues
from tests.photofleet.catalog.factories import PEMBROKE, create_finished_photo, create_photo


@contextmanager
def housekeeping() -> Iterator[None]:
    stop = threading.Event()
    keeper = threading.Thread(target=keep_house, args=(stop,))
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join(10)
        assert not keeper.is_alive()


def forget_a_photo(session: Session) -> None:
    photo = create_photo(session)
    photo.uploaded_at = datetime.now(UTC) - timedelta(hours=1)
    session.commit()


def test_it_sweeps_again_and_again(session: Session, queues: Queues, change_settings: Callable[..., None]) -> None:
    change_settings(sweep_interval=1)
    with housekeeping():
        for announced in (1, 2):
            forget_a_photo(session)
            eventually(lambda announced=announced: queues.counts("RESIZE_QUEUE") == (announced, 0))


def test_it_has_searches_follow_thresholds(catalog: Engine, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> int:
        session.rollback()
        return len(search_photos(session, "dog", owner="everybody", limit=5).photos)

    monkeypatch.setattr("photofleet.housekeeping.FOLLOW_INTERVAL_S", 0.1)
    create_finished_photo(session, PEMBROKE)
    session.commit()
    with housekeeping():
        for threshold, photos in ((0.95, 0), (0.5, 1)):
            adjust_threshold(session, PEMBROKE, threshold)
            session.commit()
            eventually(lambda photos=photos: found() == photos)


def test_it_outlives_an_aws_that_does_not_answer(
    session: Session,
    queues: Queues,
    change_settings: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    right = get_settings().resize_queue_url
    change_settings(sweep_interval=1, resize_queue_url=right + "-gone")
    forget_a_photo(session)
    with housekeeping(), caplog.at_level(logging.ERROR):
        eventually(lambda: any("sweep: " in record.getMessage() for record in caplog.records))
        change_settings(resize_queue_url=right)
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (1, 0))
