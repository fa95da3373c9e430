from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from photofleet.catalog.corrections import add_label
from photofleet.catalog.models import CONFIRMED, REMOVED, Correction, Embedding, Label
from photofleet.catalog.photos import get_photo
from photofleet.catalog.results import FoundLabel, StoredRendition, record_labels, record_renditions, recorded_keys
from tests.photofleet.catalog.factories import DOG, ESPRESSO, PEMBROKE, TABBY, create_photo

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


def test_the_search_hears_of_a_photos_labels_once_however_many_there_are(session: Session) -> None:
    photo = create_photo(session)
    before = searchable_updates(session)

    record_labels(session, photo.id, "net@1", [FoundLabel(label_id, 0.5) for label_id in (PEMBROKE, ESPRESSO, TABBY)])

    assert searchable_updates(session) == before + 1


def searchable_updates(session: Session) -> int:
    """How many rows of it this transaction has written anew."""
    updates = text("SELECT pg_stat_get_xact_tuples_updated('searchable'::regclass)")
    return session.scalars(updates).one()


def test_a_source_replaces_its_own_labels_and_leaves_those_of_others(session: Session) -> None:
    photo = create_photo(session)
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.9), FoundLabel(ESPRESSO, 0.7)])
    record_labels(session, photo.id, "ada", [FoundLabel(TABBY, 1)])
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.8)])
    session.expire_all()

    found = get_photo(session, photo.id)

    assert found is not None
    assert [(label.id, label.source, label.confidence) for label in found.sure_labels] == [
        (TABBY, "ada", 1),
        (PEMBROKE, "net@1", 0.8),
    ]


def test_what_a_person_has_removed_does_not_come_back_and_neither_do_kinds_of_it(session: Session) -> None:
    photo = create_photo(session)
    for label_id in (DOG, ESPRESSO):
        session.add(Correction(photo_id=photo.id, label_id=label_id, verdict=REMOVED, person="ada"))
    session.add(Correction(photo_id=photo.id, label_id=TABBY, verdict=CONFIRMED, person="ada"))
    found = [FoundLabel(label_id, 0.9) for label_id in (PEMBROKE, ESPRESSO, TABBY)]

    record_labels(session, photo.id, "net@2", found)
    session.expire_all()

    assert [label.id for label in photo.sure_labels] == [TABBY]


def test_labels_are_shown_from_the_confidence_that_they_need_each_once_as_the_surest_source_says(
    session: Session,
) -> None:
    photo = create_photo(session)
    session.get_one(Label, TABBY).adjusted_threshold = 0.6
    session.get_one(Label, ESPRESSO).adjusted_threshold = 0
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.7), FoundLabel(TABBY, 0.59)])
    record_labels(session, photo.id, "net@2", [FoundLabel(PEMBROKE, 0.8), FoundLabel(ESPRESSO, 0.01)])
    session.expire_all()

    assert [(label.id, label.source) for label in photo.shown_labels] == [
        (PEMBROKE, "net@2"),
        (ESPRESSO, "net@2"),
    ]
    least = session.scalars(select(Label.id).where(Label.least_confidence == 0.6)).all()
    assert least == [TABBY]
    session.rollback()


def test_what_goes_without_saying_is_shown_only_where_a_person_says_it_or_what_says_it_is_not_sure(
    session: Session,
) -> None:
    photo = create_photo(session)
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.6), FoundLabel(DOG, 0.95)])
    session.expire_all()
    assert [label.id for label in photo.shown_labels] == [PEMBROKE]

    session.get_one(Label, PEMBROKE).adjusted_threshold = 0.7
    session.flush()
    session.expire_all()
    assert [label.id for label in photo.shown_labels] == [DOG]

    session.get_one(Label, PEMBROKE).adjusted_threshold = None
    add_label(session, [photo.id], DOG, person="ada")
    session.expire_all()
    assert [(label.id, label.source) for label in photo.shown_labels] == [
        (DOG, "person:ada"),
        (PEMBROKE, "net@1"),
    ]


def test_the_model_that_labelled_last_is_known_and_what_it_saw(session: Session) -> None:
    photo, other = create_photo(session), create_photo(session)
    record_labels(session, photo.id, "net@1", [], embedding=[1, *[0] * 255])
    record_labels(session, photo.id, "net@2", [], embedding=[0, 0.5, *[0] * 254])
    record_labels(session, photo.id, "net@2", [], embedding=[0, 0.25, *[0] * 254])
    record_labels(session, other.id, "net@2", [])
    session.expire_all()

    assert [photo.labels_source, other.labels_source] == ["net@2", "net@2"]
    seen = {row.source: row.embedding[:2] for row in session.scalars(select(Embedding))}
    assert seen == {"net@1": [1, 0], "net@2": [0, 0.25]}
