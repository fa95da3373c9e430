"""Which photos are announced again, and which are only waiting."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text, update
from sqlalchemy.orm import Session

from photofleet.catalog.models import Photo, Stage
from photofleet.catalog.outdated import renditions_of, reopen_outdated
from photofleet.catalog.overdue import claim_overdue, note_announced
from photofleet.catalog.stages import finish_stage, start_stage
from tests.photofleet.catalog.factories import create_finished_photo, create_photo

OVERDUE = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)


def age(
    session: Session, photo: Photo, *, uploaded: timedelta, announced: timedelta | None, progress: timedelta
) -> None:
    now = datetime.now(UTC)
    photo.uploaded_at = now - uploaded
    photo.announced_at = None if announced is None else now - announced
    session.flush()
    session.execute(update(Stage).where(Stage.photo_id == photo.id).values(updated_at=now - progress))


@pytest.fixture
def another_session(catalog: Engine) -> Iterator[Session]:
    with Session(catalog) as session:
        yield session


@pytest.mark.parametrize(
    ("uploaded", "announced", "progress", "is_overdue"),
    [
        pytest.param(0 * MINUTE, None, 0 * MINUTE, False, id="its own request may still announce it"),
        pytest.param(2 * MINUTE, None, 2 * MINUTE, True, id="it was never announced"),
        pytest.param(5 * MINUTE, 5 * MINUTE, 5 * MINUTE, False, id="it waits in the queue"),
        pytest.param(20 * MINUTE, 20 * MINUTE, 20 * MINUTE, True, id="its message is lost"),
        pytest.param(60 * MINUTE, 5 * MINUTE, 60 * MINUTE, False, id="it was announced again lately"),
        pytest.param(60 * MINUTE, 60 * MINUTE, 5 * MINUTE, False, id="a worker is busy with it"),
    ],
)
def test_a_photo_is_overdue_when(
    session: Session, uploaded: timedelta, announced: timedelta | None, progress: timedelta, is_overdue: bool
) -> None:
    photo = create_photo(session)
    age(session, photo, uploaded=uploaded, announced=announced, progress=progress)

    claimed = claim_overdue(session, overdue=OVERDUE, limit=10)

    assert [photo.id for photo in claimed] == ([photo.id] if is_overdue else [])


def test_a_finished_photo_is_never_overdue(session: Session) -> None:
    photo = create_photo(session)
    for name in ("resize", "label"):
        start_stage(session, photo.id, name)
        finish_stage(session, photo.id, name)
    age(session, photo, uploaded=60 * MINUTE, announced=None, progress=60 * MINUTE)

    assert claim_overdue(session, overdue=OVERDUE, limit=10) == []


def test_each_announcement_is_waited_for_twice_as_long_as_the_one_before(session: Session) -> None:
    photo = create_photo(session)
    for _ in range(3):
        note_announced(session, photo.id)

    age(session, photo, uploaded=60 * MINUTE, announced=39 * MINUTE, progress=60 * MINUTE)
    assert claim_overdue(session, overdue=OVERDUE, limit=10) == []
    age(session, photo, uploaded=60 * MINUTE, announced=41 * MINUTE, progress=60 * MINUTE)
    assert [claimed.id for claimed in claim_overdue(session, overdue=OVERDUE, limit=10)] == [photo.id]


def test_a_sweeper_does_not_keep_workers_waiting(session: Session, another_session: Session) -> None:
    photo = create_photo(session)
    age(session, photo, uploaded=2 * MINUTE, announced=None, progress=2 * MINUTE)
    session.commit()
    assert len(claim_overdue(session, overdue=OVERDUE, limit=10)) == 1

    another_session.execute(text("SET LOCAL lock_timeout = '1s'"))
    start_stage(another_session, photo.id, "label")
    another_session.commit()


def test_of_two_sweepers_at_once_one_finds_the_overdue_and_the_other_nothing(
    session: Session, another_session: Session
) -> None:
    for _ in range(4):
        age(session, create_photo(session), uploaded=2 * MINUTE, announced=None, progress=2 * MINUTE)
    session.commit()

    assert len(claim_overdue(session, overdue=OVERDUE, limit=2)) == 2
    assert claim_overdue(another_session, overdue=OVERDUE, limit=10) == []

    session.rollback()
    assert len(claim_overdue(another_session, overdue=OVERDUE, limit=10)) == 4


def test_however_many_sweepers_there_are_no_more_than_the_limit_are_announced_again_in_a_while(
    session: Session,
) -> None:
    photos = [create_photo(session) for _ in range(5)]
    for photo in photos:
        note_announced(session, photo.id)
        age(session, photo, uploaded=60 * MINUTE, announced=60 * MINUTE, progress=60 * MINUTE)

    def sweep(per: timedelta) -> int:
        claimed = claim_overdue(session, overdue=OVERDUE, limit=3, per=per)
        for photo in claimed:
            note_announced(session, photo.id)
        session.flush()
        return len(claimed)

    assert [sweep(MINUTE), sweep(MINUTE)] == [3, 0]
    assert sweep(0 * MINUTE) == 2, "once the while is over"


@pytest.mark.parametrize(
    ("fleet_is_at", "is_overdue"),
    [
        pytest.param(None, False, id="the fleet has not started on anything, so all may be waiting"),
        pytest.param(90 * MINUTE, False, id="the fleet works on older photos"),
        pytest.param(59 * MINUTE, False, id="the fleet works on photos of about the same time"),
        pytest.param(30 * MINUTE, True, id="the fleet works on younger photos, so this one's message is missing"),
    ],
)
def test_behind_a_long_queue_a_photo_is_overdue_only_when_its_turn_has_been(
    session: Session, fleet_is_at: timedelta | None, is_overdue: bool
) -> None:
    photo = create_photo(session)
    note_announced(session, photo.id)
    finish_stage(session, photo.id, "label")
    age(session, photo, uploaded=60 * MINUTE, announced=60 * MINUTE, progress=60 * MINUTE)
    if fleet_is_at is not None:
        other = create_photo(session)
        note_announced(session, other.id)
        start_stage(session, other.id, "resize")
        age(session, other, uploaded=fleet_is_at, announced=fleet_is_at, progress=0 * MINUTE)

    claimed = claim_overdue(session, overdue=OVERDUE, backlogged=["resize"], limit=10)

    assert [photo.id for photo in claimed] == ([photo.id] if is_overdue else [])
    assert [photo.id for photo in claim_overdue(session, overdue=OVERDUE, backlogged=["label"], limit=10)] == [
        photo.id
    ], "the queue that it does not wait in says nothing"


def test_a_photo_that_was_announced_twice_does_not_say_how_far_its_fleet_has_come(session: Session) -> None:
    photo, again = create_photo(session), create_photo(session)
    for announced in (photo, again, again):
        note_announced(session, announced.id)
    start_stage(session, again.id, "resize")
    age(session, again, uploaded=90 * MINUTE, announced=5 * MINUTE, progress=0 * MINUTE)
    age(session, photo, uploaded=60 * MINUTE, announced=60 * MINUTE, progress=60 * MINUTE)

    assert claim_overdue(session, overdue=OVERDUE, backlogged=["resize", "label"], limit=10) == []


@pytest.mark.parametrize(("since", "is_overdue"), [(0 * MINUTE, False), (9 * MINUTE, False), (11 * MINUTE, True)])
def test_an_old_photo_that_is_resized_anew_is_overdue_only_when_its_new_message_is_lost(
    session: Session, since: timedelta, is_overdue: bool
) -> None:
    photo = create_finished_photo(session, revision="old")
    note_announced(session, photo.id)
    assert reopen_outdated(session, photo.id, renditions_of("new"))
    age(session, photo, uploaded=timedelta(days=365), announced=since, progress=since)

    claimed = claim_overdue(session, overdue=OVERDUE, limit=10)

    assert [photo.id for photo in claimed] == ([photo.id] if is_overdue else [])


def test_a_photo_that_is_resized_anew_does_not_say_how_far_the_fleets_have_come(session: Session) -> None:
    photo, old = create_photo(session), create_finished_photo(session, revision="old")
    note_announced(session, photo.id)
    assert reopen_outdated(session, old.id, renditions_of("new"))
    start_stage(session, old.id, "resize")
    age(session, old, uploaded=timedelta(days=365), announced=5 * MINUTE, progress=0 * MINUTE)
    age(session, photo, uploaded=60 * MINUTE, announced=60 * MINUTE, progress=60 * MINUTE)

    assert claim_overdue(session, overdue=OVERDUE, backlogged=["resize", "label"], limit=10) == []
