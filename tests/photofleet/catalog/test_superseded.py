"""Deleting what a model has found once another one has labelled the photo."""

from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from photofleet.catalog import superseded
from photofleet.catalog.models import Embedding, Photo, PhotoLabel
from photofleet.catalog.results import FoundLabel, record_labels
from photofleet.catalog.superseded import delete_superseded
from photofleet.catalog.vector import DIMENSIONS
from tests.photofleet.catalog.factories import PEMBROKE, TABBY, create_finished_photo

VECTOR = [1.0] * DIMENSIONS


def relabelled(session: Session) -> Photo:
    """A photo that two models have labelled."""
    photo = create_finished_photo(session)
    for source, label_id in (("net@1", PEMBROKE), ("net@2", TABBY)):
        record_labels(session, photo.id, source, [FoundLabel(label_id, 0.9)], embedding=VECTOR)
    session.flush()
    return photo


def found_by(session: Session, photo: Photo) -> list[str]:
    """Whose labels and whose vectors a photo has."""
    found = (select(kind.source).where(kind.photo_id == photo.id) for kind in (PhotoLabel, Embedding))
    return [source for wanted in found for source in session.scalars(wanted.order_by("source"))]


def test_what_the_last_model_has_found_stays_and_what_others_have_goes(session: Session) -> None:
    photo, untouched = relabelled(session), create_finished_photo(session, PEMBROKE)

    assert delete_superseded(session, before=None) == superseded.Cleared(1, None)

    assert found_by(session, photo) == ["net@2", "net@2"]
    assert found_by(session, untouched) == ["net@1"]
    assert delete_superseded(session, before=None).photos == 0


def test_a_vector_that_only_another_model_has_made_goes_too(session: Session) -> None:
    photo = relabelled(session)
    record_labels(session, photo.id, "net@3", [])

    delete_superseded(session, before=None)

    assert found_by(session, photo) == []


def test_what_a_person_has_said_stays_whoever_labelled_last(session: Session) -> None:
    photo = relabelled(session)
    session.add(PhotoLabel(photo_id=photo.id, source="person:ada", label_id=PEMBROKE, confidence=1))
    session.flush()

    delete_superseded(session, before=None)

    assert found_by(session, photo) == ["net@2", "person:ada", "net@2"]


def test_of_a_photo_that_does_not_say_who_labelled_it_last_nothing_goes(session: Session) -> None:
    photo = relabelled(session)
    session.execute(update(Photo).values(labels_source=None))

    assert delete_superseded(session, before=None).photos == 0
    assert len(found_by(session, photo)) == 4


def test_all_photos_are_gone_through_a_span_at_a_time_newest_first(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(superseded, "SPAN", 2)
    oldest, _, third, _, newest = (relabelled(session) for _ in range(5))
    before: UUID | None = None
    cleared = []
    for _ in range(3):
        span = delete_superseded(session, before=before)
        before = span.next_before
        cleared.append((span.photos, before))

    assert [photos for photos, _ in cleared] == [2, 2, 1]
    assert cleared[-1][1] is None
    assert {tuple(found_by(session, photo)) for photo in (oldest, third, newest)} == {("net@2", "net@2")}
