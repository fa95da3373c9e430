from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from photofleet.catalog.photos import get_photo
from photofleet.catalog.results import FoundLabel, StoredRendition, record_labels, record_renditions, recorded_keys
from tests.photofleet.catalog.factories import ESPRESSO, PEMBROKE, TABBY, create_photo

LARGE = StoredRendition("w640", "jpeg", 640, 480, 9000, "renditions/x/w640.jpg", "fit")
SMALL = StoredRendition("square", "webp", 160, 160, 900, "renditions/x/square.webp", "cover")


def test_renditions_recorded_again_replace_those_recorded_before(session: Session) -> None:
    photo = create_photo(session)
    record_renditions(session, photo.id, [LARGE, SMALL], preview=b"tiny", colour="#0a0b0c", revision="old")
    record_renditions(session, photo.id, [SMALL], preview=None, colour="#ffffff", revision="new")
    session.expire_all()

    found = get_photo(session, photo.id)

    assert found is not None
    assert [(r.name, r.format, r.width, r.height, r.size, r.key, r.mode) for r in found.renditions] == [
        ("square", "webp", 160, 160, 900, "renditions/x/square.webp", "cover")
    ]
    assert (found.preview, found.colour, found.renditions_revision) == (None, "#ffffff", "new")


def test_the_keys_of_a_photos_renditions_are_known(session: Session) -> None:
    photo, other = create_photo(session), create_photo(session)
    assert recorded_keys(session, photo.id) == set()

    record_renditions(session, photo.id, [LARGE, SMALL], preview=None, colour="#ffffff", revision="r")
    record_renditions(session, other.id, [LARGE], preview=None, colour="#ffffff", revision="r")

    assert recorded_keys(session, photo.id) == {LARGE.key, SMALL.key}


@pytest.mark.parametrize(
    "wrong", [{"preview": bytes(1025)}, {"colour": "red"}, {"colour": "#FFFFFF;"}, {"mode": "stretch"}]
)
def test_what_pages_could_not_show_is_not_stored(session: Session, wrong: dict[str, Any]) -> None:
    photo = create_photo(session)
    rendition = replace(LARGE, mode=wrong.pop("mode", "fit"))
    placeholder: dict[str, Any] = {"preview": b"tiny", "colour": "#0a0b0c"} | wrong

    with pytest.raises(IntegrityError, match="ck_"), session.begin_nested():
        record_renditions(session, photo.id, [rendition], **placeholder, revision="r")


def test_a_source_replaces_its_own_labels_and_leaves_those_of_others(session: Session) -> None:
    photo = create_photo(session)
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.9), FoundLabel(ESPRESSO, 0.2)])
    record_labels(session, photo.id, "ada", [FoundLabel(TABBY, 1)])
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.8)])
    session.expire_all()

    found = get_photo(session, photo.id)

    assert found is not None
    assert [(label.label_id, label.source, label.confidence) for label in found.labels] == [
        (TABBY, "ada", 1),
        (PEMBROKE, "net@1", 0.8),
    ]
