"""How right the models are, by what people said of their labels."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from photofleet.catalog.corrections import add_label, remove_label
from photofleet.catalog.judgements import judged_labels
from photofleet.catalog.results import FoundLabel, record_labels
from photofleet.catalog.thresholds import prospects
from tests.photofleet.catalog.factories import PEMBROKE, TABBY, create_finished_photo


def counts(session: Session) -> dict[str, tuple[int, int, int]]:
    """How often each label was right, wrong and missed."""
    return {judged.label.id: (judged.right, judged.wrong, judged.missed) for judged in judged_labels(session)}


def prospect(session: Session, threshold: float) -> tuple[int, int]:
    """How often corgis would be right and wrong, shown from a confidence on."""
    (found,) = prospects(session, PEMBROKE, [threshold])
    return found.right, found.wrong


def test_words_on_what_a_model_had_shown_say_how_right_it_is_and_others_what_it_missed(session: Session) -> None:
    right, wrong, missed = (create_finished_photo(session, *found).id for found in ([PEMBROKE], [PEMBROKE], []))
    add_label(session, [right, missed], PEMBROKE, person="ada")
    remove_label(session, [wrong], PEMBROKE, person="ada")

    assert counts(session) == {PEMBROKE: (1, 1, 1)}
    assert [prospect(session, threshold) for threshold in (0.9, 0.95)] == [(1, 1), (0, 0)]


def test_what_was_said_of_a_model_before_tells_nothing_of_the_one_that_has_labelled_the_photo_since(
    session: Session,
) -> None:
    photos = [create_finished_photo(session, PEMBROKE).id for _ in range(4)]
    add_label(session, photos[:2], PEMBROKE, person="ada")
    remove_label(session, photos[2:], PEMBROKE, person="ada")
    add_label(session, photos, TABBY, person="ada")
    assert prospect(session, 0.5) == (2, 2)

    for photo_id in (photos[0], photos[2], photos[3]):
        record_labels(session, photo_id, "net@2", [FoundLabel(PEMBROKE, 0.6)])

    assert counts(session) == {PEMBROKE: (1, 0, 0), TABBY: (0, 0, 4)}
    assert prospect(session, 0.5) == (1, 0)


def test_what_a_version_labelled_that_did_not_say_who_it_was_counts(session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    photo.labels_source = None
    session.flush()

    remove_label(session, [photo.id], PEMBROKE, person="ada")

    assert counts(session) == {PEMBROKE: (0, 1, 0)}
    assert prospect(session, 0.5) == (0, 1)


@pytest.mark.parametrize("hidden", [{"visibility": "private"}, {"is_deleted": True}])
def test_photos_that_nobody_may_see_do_not_count(session: Session, hidden: dict[str, Any]) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    remove_label(session, [photo.id], PEMBROKE, person="ada")
    photo.visibility = hidden.get("visibility", "public")
    photo.deleted_at = photo.uploaded_at if "is_deleted" in hidden else None
    session.flush()

    assert counts(session) == {}
    assert prospect(session, 0.5) == (0, 0)
