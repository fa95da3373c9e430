"""The work on a photo as its fleets do it, against the real S3 and the real database."""

from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from uuid import UUID

import pytest
from celery.exceptions import Reject
from sqlalchemy.orm import Session

from photofleet import storage
from photofleet.catalog import stages
from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.models import Photo
from photofleet.catalog.photos import get_photo
from photofleet.images.formats import Format
from tests.pictures import corners, encode
from tests.samples import sample
from tests.workers.conftest import Task, Upload


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
    assert found.labels[0].label.name == "Egyptian cat"
    assert found.labels[0].source.startswith("efficientnet_lite2@")
    assert 0.1 <= found.labels[-1].confidence <= found.labels[0].confidence <= 1


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


def test_a_process_that_is_told_to_end_while_it_fetches_a_photo_ends(upload: Upload) -> None:
    class Ending(BytesIO):
        def write(self, *_: object) -> int:
            raise SystemExit

    photo = upload(encode(corners(), Format.JPEG))

    with pytest.raises(SystemExit):
        storage.get_original(photo.id, Ending(), photo.sha256)
