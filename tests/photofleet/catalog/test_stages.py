from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text, update
from sqlalchemy.orm import Session

from photofleet.catalog import stages
from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.models import Photo, Stage
from photofleet.catalog.photos import get_photo
from photofleet.catalog.results import FoundLabel, record_labels
from tests.photofleet.catalog.factories import PEMBROKE, create_photo

OVERDUE = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)


def state(session: Session, photo_id: UUID, name: str) -> tuple[str, int, str | None]:
    session.expire_all()
    photo = get_photo(session, photo_id)
    assert photo is not None
    (stage,) = (stage for stage in photo.stages if stage.name == name)
    return stage.state, stage.attempts, stage.error


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


def test_a_stage_is_started_as_often_as_it_is_tried(session: Session) -> None:
    photo = create_photo(session)

    assert stages.start_stage(session, photo.id, "resize") == 1
    assert state(session, photo.id, "resize") == ("running", 1, None)
    stages.postpone_stage(session, photo.id, "resize")
    assert state(session, photo.id, "resize") == ("waiting", 1, None)
    assert stages.start_stage(session, photo.id, "resize") == 2
    assert state(session, photo.id, "label") == ("waiting", 0, None)


def test_a_stage_that_has_ended_is_not_started_again(session: Session) -> None:
    photo = create_photo(session)
    stages.start_stage(session, photo.id, "resize")
    stages.finish_stage(session, photo.id, "resize")
    stages.start_stage(session, photo.id, "label")
    stages.fail_stage(session, photo.id, "label", "The file is damaged.")

    assert stages.start_stage(session, photo.id, "resize") is None
    assert stages.start_stage(session, photo.id, "label") is None
    assert state(session, photo.id, "label") == ("failed", 1, "The file is damaged.")
    photo = get_photo(session, photo.id) or photo
    assert photo.is_finished
    assert photo.has_failed


def test_what_was_given_up_is_tried_anew_when_an_operator_says_so_and_what_is_bad_stays_failed(
    session: Session,
) -> None:
    photo = create_photo(session)
    for _ in range(stages.MAX_ATTEMPTS):
        stages.start_stage(session, photo.id, "resize")
    stages.fail_stage(session, photo.id, "resize", stages.GAVE_UP)
    stages.start_stage(session, photo.id, "label")
    stages.fail_stage(session, photo.id, "label", "The file is damaged.")
    assert stages.start_stage(session, photo.id, "resize") is None, "not for any message that comes along"

    assert stages.reopen_given_up(session) == 1

    age(session, photo, uploaded=60 * MINUTE, announced=None, progress=0 * MINUTE)
    assert [claimed.id for claimed in stages.claim_overdue(session, overdue=OVERDUE, limit=10)] == [photo.id]
    assert stages.start_stage(session, photo.id, "resize") == 1
    assert state(session, photo.id, "label")[0] == "failed"


def test_of_two_attempts_at_once_one_records_its_results_and_the_other_changes_nothing(
    session: Session, another_session: Session
) -> None:
    photo = create_photo(session)
    stages.start_stage(session, photo.id, "resize")
    stages.start_stage(session, photo.id, "resize")
    session.commit()

    assert stages.finish_stage(session, photo.id, "resize")
    with ThreadPoolExecutor(1) as pool:
        slower = pool.submit(stages.finish_stage, another_session, photo.id, "resize")
        assert not wait([slower], timeout=0.5).done, "it waits until the first has committed"
        session.commit()
        assert slower.result(10) is False
    stages.postpone_stage(another_session, photo.id, "resize")
    stages.fail_stage(another_session, photo.id, "resize", "too late")
    another_session.commit()

    assert state(session, photo.id, "resize")[0] == "done"


def test_nothing_is_owed_for_a_photo_that_is_gone(session: Session) -> None:
    photo = create_photo(session)
    photo.deleted_at = datetime.now(UTC)
    session.flush()

    assert stages.start_stage(session, photo.id, "resize") is None
    assert stages.start_stage(session, uuid7(), "resize") is None


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

    claimed = stages.claim_overdue(session, overdue=OVERDUE, limit=10)

    assert [photo.id for photo in claimed] == ([photo.id] if is_overdue else [])


def test_a_finished_photo_is_never_overdue(session: Session) -> None:
    photo = create_photo(session)
    for name in ("resize", "label"):
        stages.start_stage(session, photo.id, name)
        stages.finish_stage(session, photo.id, name)
    age(session, photo, uploaded=60 * MINUTE, announced=None, progress=60 * MINUTE)

    assert stages.claim_overdue(session, overdue=OVERDUE, limit=10) == []


def test_each_announcement_is_waited_for_twice_as_long_as_the_one_before(session: Session) -> None:
    photo = create_photo(session)
    for _ in range(3):
        stages.note_announced(session, photo.id)

    age(session, photo, uploaded=60 * MINUTE, announced=39 * MINUTE, progress=60 * MINUTE)
    assert stages.claim_overdue(session, overdue=OVERDUE, limit=10) == []
    age(session, photo, uploaded=60 * MINUTE, announced=41 * MINUTE, progress=60 * MINUTE)
    assert [claimed.id for claimed in stages.claim_overdue(session, overdue=OVERDUE, limit=10)] == [photo.id]


def test_a_sweeper_does_not_keep_workers_waiting(session: Session, another_session: Session) -> None:
    photo = create_photo(session)
    age(session, photo, uploaded=2 * MINUTE, announced=None, progress=2 * MINUTE)
    session.commit()
    assert len(stages.claim_overdue(session, overdue=OVERDUE, limit=10)) == 1

    another_session.execute(text("SET LOCAL lock_timeout = '1s'"))
    record_labels(another_session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.9)])
    another_session.commit()


def test_two_sweepers_never_claim_the_same_photo(session: Session, another_session: Session) -> None:
    for _ in range(4):
        age(session, create_photo(session), uploaded=2 * MINUTE, announced=None, progress=2 * MINUTE)
    session.commit()

    first = stages.claim_overdue(session, overdue=OVERDUE, limit=2)
    second = stages.claim_overdue(another_session, overdue=OVERDUE, limit=10)

    assert len(first) == len(second) == 2
    assert {photo.id for photo in first}.isdisjoint(photo.id for photo in second)


def test_a_stage_that_used_up_its_attempts_is_given_up(session: Session) -> None:
    photo = create_photo(session)
    for _ in range(stages.MAX_ATTEMPTS):
        stages.start_stage(session, photo.id, "resize")
    stages.start_stage(session, photo.id, "label")
    assert stages.give_up_exhausted(session, overdue=OVERDUE) == [], "it may still be running"
    age(session, photo, uploaded=60 * MINUTE, announced=60 * MINUTE, progress=60 * MINUTE)

    given_up = stages.give_up_exhausted(session, overdue=OVERDUE)

    assert [stage.name for stage in given_up] == ["resize"]
    assert state(session, photo.id, "resize")[0] == "failed"
    assert state(session, photo.id, "label")[0] == "running"
