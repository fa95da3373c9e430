from dataclasses import astuple
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from photofleet.catalog import progress, stages
from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.models import Photo, Stage
from photofleet.catalog.outdated import renditions_of, reopen_outdated
from tests.photofleet.catalog.factories import create_finished_photo, create_photo

MINUTE = timedelta(minutes=1)


def age(session: Session, photo: Photo, since: timedelta) -> Photo:
    changed = update(Stage).where(Stage.photo_id == photo.id).values(updated_at=datetime.now(UTC) - since)
    session.execute(changed)
    return photo


def failed_photo(session: Session, error: str, last_error: str | None, since: timedelta = 0 * MINUTE) -> Photo:
    photo = create_photo(session)
    stages.fail_stage(session, photo.id, "resize", error, last_error)
    return age(session, photo, since)


def delete(session: Session, photo: Photo) -> None:
    photo.deleted_at = datetime.now(UTC)
    session.flush()


def test_the_longest_wait_is_that_of_the_oldest_photo_that_no_worker_has_taken_up(session: Session) -> None:
    age(session, create_photo(session), 3 * MINUTE)
    taken_up = create_photo(session)
    stages.start_stage(session, taken_up.id, "resize")
    age(session, taken_up, 5 * MINUTE)
    age(session, create_finished_photo(session), 9 * MINUTE)
    delete(session, age(session, create_photo(session), 20 * MINUTE))

    waits = progress.longest_waits(session, longest_attempt=10 * MINUTE)

    assert waits == {"resize": pytest.approx(180, abs=20), "label": pytest.approx(300, abs=20)}


def test_an_old_photo_that_is_resized_anew_waits_since_it_was_opened_again(session: Session) -> None:
    photo = age(session, create_finished_photo(session, revision="old"), timedelta(days=365))
    assert reopen_outdated(session, photo.id, renditions_of("new"))

    waits = progress.longest_waits(session, longest_attempt=MINUTE)

    assert waits["resize"] < 60
    assert "label" not in waits


def test_a_photo_whose_attempt_has_died_waits_although_nobody_has_said_so(session: Session) -> None:
    photo = create_photo(session)
    stages.start_stage(session, photo.id, "resize")
    age(session, photo, 5 * MINUTE)

    assert progress.longest_waits(session, longest_attempt=3 * MINUTE)["resize"] == pytest.approx(300, abs=20)


def test_where_nothing_waits_there_is_no_wait(session: Session) -> None:
    create_finished_photo(session)

    assert progress.longest_waits(session, longest_attempt=MINUTE) == {}


def test_a_photo_that_is_opened_again_begins_to_wait_anew(session: Session) -> None:
    failed_photo(session, stages.GAVE_UP, None, since=60 * 24 * MINUTE)
    stages.reopen_failed(session)

    assert progress.longest_waits(session, longest_attempt=MINUTE)["resize"] < 60


def test_what_was_finished_lately_is_counted_by_stage(session: Session) -> None:
    create_finished_photo(session)
    age(session, create_finished_photo(session), 6 * MINUTE)
    half_done = create_photo(session)
    stages.start_stage(session, half_done.id, "label")
    stages.finish_stage(session, half_done.id, "label")
    failed_photo(session, "The file is damaged.", None)

    assert progress.finished_within(session, 5 * MINUTE) == {"resize": 1, "label": 2}


def test_failures_are_grouped_by_reason_with_the_newest_error_of_each(session: Session) -> None:
    failed_photo(session, stages.GAVE_UP, "old trouble", since=8 * MINUTE)
    failed_photo(session, stages.GAVE_UP, "new trouble", since=2 * MINUTE)
    failed_photo(session, "The file is damaged.", None, since=5 * MINUTE)
    delete(session, failed_photo(session, "The file is too large.", None))

    failures = progress.failed_photos(session, limit=10)

    assert [astuple(failure)[:4] for failure in failures] == [
        ("resize", stages.GAVE_UP, 2, "new trouble"),
        ("resize", "The file is damaged.", 1, None),
    ]
    assert abs(datetime.now(UTC) - failures[0].latest - 2 * MINUTE) < MINUTE
    assert progress.failed_photos(session, limit=1) == failures[:1]


def test_photos_are_found_by_id_even_if_deleted(session: Session) -> None:
    photo, deleted = create_photo(session), create_photo(session)
    delete(session, deleted)
    create_photo(session)

    found = progress.photos_by_id(session, [photo.id, deleted.id, uuid7()])

    assert set(found) == {photo.id, deleted.id}
    assert {stage.name for stage in found[photo.id].stages} == {"resize", "label"}
