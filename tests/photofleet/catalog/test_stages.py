from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text, update
from sqlalchemy.orm import Session

from photofleet.catalog import stages
from photofleet.catalog.corrections import add_label
from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.models import Stage
from photofleet.catalog.photos import get_photo
from photofleet.catalog.stages import Refusal
from tests.photofleet.catalog.factories import DOG, create_photo


def state(session: Session, photo_id: UUID, name: str) -> tuple[str, int, str | None]:
    session.expire_all()
    photo = get_photo(session, photo_id)
    assert photo is not None
    (stage,) = (stage for stage in photo.stages if stage.name == name)
    return stage.state, stage.attempts, stage.error


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

    assert stages.start_stage(session, photo.id, "resize") == Refusal.NOTHING_OWED
    assert stages.start_stage(session, photo.id, "label") == Refusal.NOTHING_OWED
    assert state(session, photo.id, "label") == ("failed", 1, "The file is damaged.")


def test_what_was_given_up_is_tried_anew_when_an_operator_says_so_and_what_is_bad_stays_failed(
    session: Session,
) -> None:
    photo = create_photo(session)
    for _ in range(stages.MAX_ATTEMPTS):
        stages.start_stage(session, photo.id, "resize")
    stages.fail_stage(session, photo.id, "resize", stages.GAVE_UP)
    stages.start_stage(session, photo.id, "label")
    stages.fail_stage(session, photo.id, "label", "The file is damaged.")
    refusal = stages.start_stage(session, photo.id, "resize")
    assert refusal == Refusal.GIVEN_UP, "it is not tried for any message that comes along"

    assert stages.reopen_failed(session) == 1

    session.expire_all()
    assert photo.announced_at is None, "the sweeper announces it"
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

    assert stages.start_stage(session, photo.id, "resize") == Refusal.NOTHING_OWED
    assert stages.start_stage(session, uuid7(), "resize") == Refusal.NOTHING_OWED


def test_of_all_failures_those_of_one_stage_and_reason_can_be_tried_anew(session: Session) -> None:
    bad, broken = create_photo(session), create_photo(session)
    for name in ("resize", "label"):
        stages.fail_stage(session, bad.id, name, "The file is damaged.")
    stages.fail_stage(session, broken.id, "resize", stages.GAVE_UP)

    assert stages.reopen_failed(session, stage="label", error="The file is damaged.") == 1

    assert state(session, bad.id, "label") == ("waiting", 0, None)
    assert state(session, bad.id, "resize")[0] == "failed"
    assert state(session, broken.id, "resize")[0] == "failed"


def test_who_has_many_tried_anew_and_who_corrects_them_at_once_wait_for_each_other_in_one_order(
    session: Session, another_session: Session
) -> None:
    photos = [create_photo(session).id for _ in range(3)]
    for photo_id in reversed(photos):  # in the order of their rows, the newest come first
        stages.fail_stage(session, photo_id, "resize", stages.GAVE_UP)
    session.commit()

    add_label(session, photos[:1], DOG, person="ada")
    with ThreadPoolExecutor(1) as pool:
        reopening = pool.submit(stages.reopen_failed, another_session)
        while not session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) and not reopening.done():
            pass
        add_label(session, photos[1:], DOG, person="ada")
        session.commit()
        assert reopening.result(10) == 3


def test_a_stage_whose_message_is_sent_back_is_owed_again_unless_it_is_done_or_the_image_is_bad(
    session: Session,
) -> None:
    photo, announced = create_photo(session), datetime.now(UTC)
    photo.announced_at = announced
    stages.fail_stage(session, photo.id, "resize", stages.GAVE_UP)
    stages.fail_stage(session, photo.id, "label", "The file is damaged.")

    assert stages.reopen_stage(session, photo.id, "resize")
    assert not stages.reopen_stage(session, photo.id, "label")
    stages.finish_stage(session, photo.id, "resize")
    assert not stages.reopen_stage(session, photo.id, "resize")
    assert not stages.reopen_stage(session, uuid7(), "resize")
    session.expire_all()
    assert photo.announced_at == announced, "its message is on its way: nobody needs to announce it"


def test_what_went_wrong_last_is_kept_for_engineers_and_cannot_be_too_much(session: Session) -> None:
    photo = create_photo(session)
    stages.postpone_stage(session, photo.id, "resize", "OSError: no\0 space" + "!" * 10_000)
    stages.postpone_stage(session, photo.id, "resize")

    session.expire_all()
    last_errors = {stage.name: stage.last_error for stage in photo.stages}
    assert last_errors["label"] is None
    assert (last_errors["resize"] or "").startswith("OSError: no space!")
    assert len(last_errors["resize"] or "") == stages.LAST_ERROR_LENGTH


def test_a_stage_whose_last_attempt_died_is_exhausted_and_one_whose_last_attempt_may_be_alive_is_busy(
    session: Session,
) -> None:
    photo, minute = create_photo(session), timedelta(minutes=1)
    for _ in range(stages.MAX_ATTEMPTS):
        stages.start_stage(session, photo.id, "resize")
    session.commit()

    assert stages.start_stage(session, photo.id, "resize", alive=minute) == Refusal.BUSY
    session.execute(update(Stage).values(updated_at=datetime.now(UTC) - 2 * minute))
    assert stages.start_stage(session, photo.id, "resize", alive=minute) == Refusal.EXHAUSTED
    assert state(session, photo.id, "resize")[1] == stages.MAX_ATTEMPTS, "what is refused does not count"


def test_an_attempt_that_ended_meanwhile_can_see_whether_the_stage_has_ended(session: Session) -> None:
    photo = create_photo(session)
    assert not stages.has_ended(session, photo.id, "resize")
    stages.fail_stage(session, photo.id, "resize", stages.GAVE_UP)
    assert stages.has_ended(session, photo.id, "resize")
    assert not stages.has_ended(session, photo.id, "label")
    stages.finish_stage(session, photo.id, "label")
    assert stages.has_ended(session, photo.id, "label")
