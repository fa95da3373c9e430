"""The work on a photo as its fleets do it, against the real S3 and the real database."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from celery.exceptions import Reject
from sqlalchemy.orm import Session

from photofleet import storage
from photofleet.catalog import stages
from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.models import Photo
from photofleet.catalog.outdated import renditions_of, reopen_outdated
from photofleet.catalog.photos import get_photo
from photofleet.images.formats import Format
from photofleet.images.renditions import revision
from photofleet.settings import get_settings
from tests.pictures import corners, encode
from tests.samples import sample
from tests.workers.conftest import Task, Upload
from workers.resize.results import Placeholder, Rendition
from workers.resize.sandbox import render
from workers.stage import Record, run_stage


@pytest.fixture
def look(session: Session) -> Callable[[UUID], Photo]:
    def find(photo_id: UUID) -> Photo:
        session.expire_all()
        photo = get_photo(session, photo_id)
        assert photo is not None
        return photo

    return find


def states(photo: Photo) -> dict[str, str]:
    return {stage.name: stage.state for stage in photo.stages}


def test_a_photo_is_resized_stored_for_ever_and_recorded(
    resize: Task,
    upload: Upload,
    look: Callable[[UUID], Photo],
    stored_renditions: Callable[[Photo], dict[str, dict[str, str]]],
) -> None:
    photo = upload(encode(corners(800, 600), Format.JPEG))

    resize(str(photo.id), "r1")

    found = look(photo.id)
    assert states(found) == {"resize": "done", "label": "waiting"}
    assert {(r.name, r.format, r.width) for r in found.renditions} == {
        (name, format, width)
        for name, width in (("w160", 160), ("w320", 320), ("w640", 640), ("w1280", 800))
        for format in ("jpeg", "webp")
    }
    stored = stored_renditions(found)
    assert {(r.key, r.size) for r in found.renditions} == {(key, head["ContentLength"]) for key, head in stored.items()}
    for key, head in stored.items():
        assert head["ContentType"] == ("image/jpeg" if key.endswith(".jpg") else "image/webp")
        assert head["CacheControl"] == "public, max-age=31536000, immutable"


def test_a_photo_is_labelled_with_what_it_shows_and_by_which_network(
    label: Task, upload: Upload, look: Callable[[UUID], Photo]
) -> None:
    photo = upload(sample("chelsea.png").read_bytes(), Format.PNG)

    label(str(photo.id), "r1")

    found = look(photo.id)
    assert states(found) == {"resize": "waiting", "label": "done"}
    assert found.shown_labels[0].name == "Egyptian cat"
    assert found.shown_labels[0].source.startswith("efficientnet_lite2@")
    assert 0.1 <= found.shown_labels[-1].confidence <= found.shown_labels[0].confidence <= 1


def test_a_transparent_picture_can_be_labelled(label: Task, upload: Upload, look: Callable[[UUID], Photo]) -> None:
    picture = corners(400, 300).convert("RGBA")
    picture.putalpha(100)
    photo = upload(encode(picture, Format.PNG), Format.PNG)

    label(str(photo.id), "r1")

    assert states(look(photo.id))["label"] == "done"


def test_a_message_that_comes_twice_does_no_work_twice(
    task: Task, upload: Upload, look: Callable[[UUID], Photo]
) -> None:
    photo = upload(encode(corners(), Format.JPEG))

    task(str(photo.id), "r1")
    task(str(photo.id), "r1")

    assert max(stage.attempts for stage in look(photo.id).stages) == 1


def test_a_photo_that_is_not_there_any_more_is_no_work(task: Task, service: None) -> None:
    task(str(uuid7()), "r1")


def test_a_damaged_file_is_a_recorded_failure_at_once(
    task: Task, stage: str, upload: Upload, look: Callable[[UUID], Photo]
) -> None:
    photo = upload(encode(corners(800, 600), Format.JPEG)[:2000])

    task(str(photo.id), "r1")

    (failed,) = (s for s in look(photo.id).stages if s.name == stage)
    assert (failed.state, failed.attempts) == ("failed", 1)
    assert failed.error is not None
    assert "damaged or incomplete" in failed.error


def test_what_breaks_for_another_reason_is_tried_again_and_given_up_after_the_last_attempt(
    resize: Task, upload: Upload, look: Callable[[UUID], Photo]
) -> None:
    photo = upload(encode(corners(), Format.JPEG))
    storage.delete_original(photo.id)

    for attempt in range(1, stages.MAX_ATTEMPTS + 1):
        with pytest.raises(Reject) as rejected:
            resize(str(photo.id), "r1")
        last = attempt == stages.MAX_ATTEMPTS
        assert rejected.value.requeue is not last
        assert states(look(photo.id))["resize"] == ("failed" if last else "waiting")


@pytest.mark.parametrize("arrives", [b"", b"half of it"])
def test_what_arrives_damaged_from_storage_is_not_the_fault_of_the_file(
    task: Task, stage: str, upload: Upload, look: Callable[[UUID], Photo], arrives: bytes
) -> None:
    photo = upload(encode(corners(), Format.JPEG))
    storage.put_original(photo.id, BytesIO(arrives), "image/jpeg", sha256(arrives).digest())

    with pytest.raises(Reject) as rejected:
        task(str(photo.id), "r1")

    assert rejected.value.requeue
    (tried,) = (s for s in look(photo.id).stages if s.name == stage)
    assert (tried.state, tried.attempts) == ("waiting", 1)
    assert "arrived damaged" in (tried.last_error or "")


@pytest.fixture
def kept(stored_renditions: Callable[[Photo], dict[str, dict[str, str]]]) -> Callable[[Photo], set[str]]:
    """A function that returns the keys that are in the bucket of a photo."""
    return lambda photo: set(stored_renditions(photo))


@pytest.fixture
def outdate(session: Session, change_settings: Callable[..., None]) -> Callable[[Photo], None]:
    """A function that changes the setting, and has a photo resized anew, as a refresh does."""

    def refresh(photo: Photo) -> None:
        change_settings(renditions="w100 100")
        assert reopen_outdated(session, photo.id, renditions_of(revision(get_settings().rendition_specs)))
        session.commit()

    return refresh


def keys(photo: Photo) -> set[str]:
    return {rendition.key for rendition in photo.renditions}


def add_leftover(photo: Photo) -> None:
    storage.put_rendition(storage.rendition_key(photo.id, "w1", "leftover", "webp"), b"a picture", "image/webp")


def test_renditions_of_another_setting_replace_the_old_ones(
    resize: Task,
    upload: Upload,
    look: Callable[[UUID], Photo],
    outdate: Callable[[Photo], None],
    kept: Callable[[Photo], set[str]],
) -> None:
    photo = upload(encode(corners(800, 600), Format.JPEG))
    resize(str(photo.id), "r1")
    old = keys(look(photo.id))

    outdate(photo)
    assert kept(photo) == keys(look(photo.id)) == old, "pages show the old ones until the new ones are there"
    resize(str(photo.id), "r2")

    refreshed = look(photo.id)
    assert states(refreshed)["resize"] == "done"
    assert {(r.name, r.width) for r in refreshed.renditions} == {("w100", 100)}
    assert kept(photo) == keys(refreshed)
    assert not kept(photo) & old


def test_a_refresh_that_fails_keeps_the_old_renditions(
    resize: Task,
    upload: Upload,
    look: Callable[[UUID], Photo],
    outdate: Callable[[Photo], None],
    change_settings: Callable[..., None],
    kept: Callable[[Photo], set[str]],
) -> None:
    photo = upload(encode(corners(800, 600), Format.JPEG))
    resize(str(photo.id), "r1")
    old = keys(look(photo.id))

    outdate(photo)
    change_settings(max_pixels=10_000)
    resize(str(photo.id), "r2")

    assert states(look(photo.id))["resize"] == "failed"
    assert kept(photo) == keys(look(photo.id)) == old


def test_what_an_attempt_that_died_has_left_is_deleted_when_another_has_succeeded(
    resize: Task, upload: Upload, look: Callable[[UUID], Photo], session: Session, kept: Callable[[Photo], set[str]]
) -> None:
    photo = upload(encode(corners(), Format.JPEG))
    stages.start_stage(session, photo.id, "resize")
    session.commit()
    add_leftover(photo)

    resize(str(photo.id), "r1")

    assert kept(photo) == keys(look(photo.id))


def test_nothing_is_left_of_a_photo_that_fails(
    resize: Task, upload: Upload, look: Callable[[UUID], Photo], kept: Callable[[Photo], set[str]]
) -> None:
    photo = upload(encode(corners(800, 600), Format.JPEG)[:2000])
    add_leftover(photo)

    resize(str(photo.id), "r1")

    assert states(look(photo.id))["resize"] == "failed"
    assert kept(photo) == set()


def test_what_was_left_by_a_worker_killed_before_it_cleaned_up_is_deleted_when_its_message_comes_again(
    resize: Task,
    upload: Upload,
    look: Callable[[UUID], Photo],
    kept: Callable[[Photo], set[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = upload(encode(corners(), Format.JPEG))
    resize(str(photo.id), "r1")
    add_leftover(photo)

    monkeypatch.setattr("workers.failures.is_redelivered", lambda: True)
    resize(str(photo.id), "r1")

    assert kept(photo) == keys(look(photo.id)) != set()


def test_of_two_attempts_the_slower_leaves_nothing_behind(
    resize: Task,
    upload: Upload,
    look: Callable[[UUID], Photo],
    change_settings: Callable[..., None],
    kept: Callable[[Photo], set[str]],
) -> None:
    from workers.resize.tasks import delete_unrecorded, make_renditions

    def overtaken(photo: Photo) -> Record:
        resize(str(photo.id), "r2")
        change_settings(renditions="w100 100")
        return make_renditions(photo)

    photo = upload(encode(corners(), Format.JPEG))
    run_stage("resize", photo.id, "r1", overtaken, delete_unrecorded)

    assert states(look(photo.id))["resize"] == "done"
    assert kept(photo) == keys(look(photo.id))
    assert {r.name for r in look(photo.id).renditions} == {"w160"}


def test_an_attempt_from_before_a_refresh_does_not_record_what_may_be_deleted(
    resize: Task,
    upload: Upload,
    look: Callable[[UUID], Photo],
    outdate: Callable[[Photo], None],
    kept: Callable[[Photo], set[str]],
) -> None:
    from workers.resize.tasks import delete_unrecorded, make_renditions

    def outlived(photo: Photo) -> Record:
        record = make_renditions(photo)
        resize(str(photo.id), "r2")
        outdate(photo)
        return record

    photo = upload(encode(corners(400, 300), Format.JPEG))
    with pytest.raises(Reject) as rejected:
        run_stage("resize", photo.id, "r1", outlived, delete_unrecorded)

    assert rejected.value.requeue
    assert states(look(photo.id))["resize"] == "waiting"
    resize(str(photo.id), "r3")
    assert states(look(photo.id))["resize"] == "done"
    assert {r.name for r in look(photo.id).renditions} == {"w100"}
    assert kept(photo) == keys(look(photo.id))


def test_what_is_stored_of_a_photo_that_was_deleted_meanwhile_is_recorded(
    resize: Task,
    upload: Upload,
    stored_renditions: Callable[[Photo], dict[str, dict[str, str]]],
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = upload(encode(corners(300, 200), Format.JPEG))

    def deleted(*args: Any, **options: Any) -> Iterator[Placeholder | Rendition]:
        photo.deleted_at = datetime.now(UTC)
        session.commit()
        yield from render(*args, **options)

    monkeypatch.setattr("workers.resize.tasks.render", deleted)
    resize(str(photo.id), "r1")

    session.expire_all()
    assert states(photo)["resize"] == "done"
    assert {rendition.key for rendition in photo.renditions} == stored_renditions(photo).keys() != set()
