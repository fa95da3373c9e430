from datetime import UTC, datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from photofleet.catalog.models import Photo, Stage
from photofleet.sweeper import sweep
from tests.photofleet.broker.queues import Queues
from tests.photofleet.catalog.factories import create_finished_photo, create_photo


def forgotten_photo(session: Session) -> Photo:
    photo = create_photo(session, request_id="r-of-the-upload")
    photo.uploaded_at = datetime.now(UTC) - timedelta(hours=1)
    session.commit()
    return photo


def test_a_photo_that_was_never_announced_is_announced_once_to_both_fleets(session: Session, queues: Queues) -> None:
    photo = forgotten_photo(session)
    create_finished_photo(session)
    session.commit()

    assert sweep() == 1
    assert sweep() == 0

    for name in ("RESIZE_QUEUE", "LABEL_QUEUE"):
        (body,) = queues.bodies(name)
        assert str(photo.id) in body
        assert "r-of-the-upload" in body, "its work is logged under the request that uploaded it"


def test_while_the_topic_is_down_nothing_counts_as_announced(
    session: Session, queues: Queues, topic_is_down: None
) -> None:
    photo = forgotten_photo(session)

    assert sweep() == 0

    session.expire_all()
    assert photo.announced_at is None
    assert queues.counts("RESIZE_QUEUE") == (0, 0)


def test_a_photo_that_waits_in_a_long_queue_is_not_announced_again_and_one_whose_message_is_lost_is(
    session: Session, queues: Queues
) -> None:
    photo = create_photo(session)
    photo.announced_at = photo.uploaded_at = datetime.now(UTC) - timedelta(hours=1)
    photo.announcements = 1
    session.flush()
    session.execute(update(Stage).values(updated_at=photo.announced_at))
    session.commit()

    for name in ("RESIZE_QUEUE", "LABEL_QUEUE"):
        queues.send(name, "a message before it")
    assert sweep() == 0

    queues.empty()
    assert sweep() == 1
