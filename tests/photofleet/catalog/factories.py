"""Rows for tests, each whole and valid unless a test says otherwise."""

import secrets
from typing import Any

from sqlalchemy.orm import Session

from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.models import LABEL, RESIZE, Photo
from photofleet.catalog.photos import NewPhoto, add_photo
from photofleet.catalog.results import FoundLabel, StoredRendition, record_labels, record_renditions
from photofleet.catalog.stages import finish_stage, start_stage

PEMBROKE, TABBY, ESPRESSO, DOG = "n02113023", "n02123045", "n07920052", "n02084071"


def create_photo(session: Session, **changes: Any) -> Photo:
    """A photo that was just uploaded."""
    values = {
        "id": uuid7(),
        "owner": "everybody",
        "filename": "photo.jpg",
        "sha256": secrets.token_bytes(32),
        "size": 1000,
        "format": "jpeg",
        "width": 640,
        "height": 480,
        "taken_at": None,
        "request_id": "r1",
    }
    photo = add_photo(session, NewPhoto(**(values | changes)))
    assert photo is not None
    return photo


def create_finished_photo(session: Session, *label_ids: str, revision: str = "current", **changes: Any) -> Photo:
    """A photo with one rendition and the given labels, on which no work is owed."""
    photo = create_photo(session, **changes)
    rendition = StoredRendition("w160", "jpeg", 160, 120, 900, f"renditions/{photo.id}/w160.jpg", "fit")
    record_renditions(session, photo.id, [rendition], preview=b"webp", colour="#a0b0c0", revision=revision)
    record_labels(session, photo.id, "net@1", [FoundLabel(label_id, 0.9) for label_id in label_ids])
    for stage in (RESIZE, LABEL):
        start_stage(session, photo.id, stage)
        finish_stage(session, photo.id, stage)
    session.expire(photo)
    return photo
