"""People correct what models say of photos, and their word stands."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from photofleet.catalog.corrections import (
    MOST_LABELS,
    TooManyLabelsError,
    UnknownLabelError,
    UnknownPhotosError,
    add_label,
    remove_label,
    take_back,
)
from photofleet.catalog.database import transaction
from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.judgements import corrections_of
from photofleet.catalog.models import REMOVED, Correction, Label, LabelAncestor, PhotoLabel
from photofleet.catalog.photos import get_photo
from photofleet.catalog.results import FoundLabel, record_labels
from photofleet.catalog.thresholds import adjust_threshold
from tests.photofleet.catalog.factories import DOG, ESPRESSO, PEMBROKE, TABBY, create_finished_photo, create_photo

BEAGLE, HOUND, ANIMAL = "n02088364", "n02087551", "n00015388"

Say = Callable[..., None]


def labels(session: Session, photo_id: UUID) -> list[tuple[str, str, float]]:
    """What a photo bears, by label."""
    session.expire_all()
    rows = session.scalars(
        select(PhotoLabel).where(PhotoLabel.photo_id == photo_id).order_by(PhotoLabel.label_id, PhotoLabel.source)
    )
    return [(row.label_id, row.source, row.confidence) for row in rows]


def corrections(session: Session, photo_id: UUID) -> dict[str, tuple[str, str | None, float | None]]:
    """What has been said of a photo: the verdict on each label, and what a model had said."""
    session.expire_all()
    rows = session.scalars(select(Correction).where(Correction.photo_id == photo_id))
    return {row.label_id: (row.verdict, row.source, row.confidence) for row in rows}


def removals_named(session: Session, photo_id: UUID) -> list[str]:
    """The labels that people have said a photo does not show, as its page lists them."""
    session.expire_all()
    said = corrections_of(session, photo_id)
    return sorted(label.id for correction, label in said if correction.verdict == REMOVED)


def test_a_label_that_no_model_knew_of_is_added_and_shown_as_certain(session: Session) -> None:
    photo = create_finished_photo(session, ESPRESSO)

    add_label(session, [photo.id], PEMBROKE, person="ada")

    assert labels(session, photo.id) == [(PEMBROKE, "person:ada", 1), (ESPRESSO, "net@1", 0.9)]
    assert corrections(session, photo.id) == {PEMBROKE: ("added", None, None)}
    found = get_photo(session, photo.id)
    assert found is not None
    assert [label.id for label in found.shown_labels] == [PEMBROKE, ESPRESSO]


def test_a_label_that_a_model_has_shown_is_confirmed_and_what_the_model_said_is_kept(session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)

    add_label(session, [photo.id], PEMBROKE, person="ada")

    assert labels(session, photo.id) == [(PEMBROKE, "net@1", 0.9), (PEMBROKE, "person:ada", 1)]
    assert corrections(session, photo.id) == {PEMBROKE: ("confirmed", "net@1", 0.9)}


def test_a_label_of_which_a_model_was_not_sure_enough_to_show_it_is_added(session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    adjust_threshold(session, PEMBROKE, 0.95)

    add_label(session, [photo.id], PEMBROKE, person="ada")

    assert corrections(session, photo.id) == {PEMBROKE: ("added", "net@1", 0.9)}
    session.rollback()


def test_a_removed_label_goes_with_all_its_kinds_whoever_said_so_and_models_cannot_bring_it_back(
    session: Session,
) -> None:
    photo = create_finished_photo(session, PEMBROKE, ESPRESSO)
    add_label(session, [photo.id], DOG, person="ada")

    remove_label(session, [photo.id], DOG, person="bob")
    record_labels(session, photo.id, "net@2", [FoundLabel(PEMBROKE, 0.99), FoundLabel(TABBY, 0.3)])

    assert labels(session, photo.id) == [(TABBY, "net@2", 0.3), (ESPRESSO, "net@1", 0.9)]
    assert corrections(session, photo.id) == {
        DOG: ("removed", None, None),
        PEMBROKE: ("removed", "net@1", 0.9),
    }


def test_the_model_that_labelled_the_photo_last_is_the_one_that_was_right_or_wrong(session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    record_labels(session, photo.id, "net@2", [FoundLabel(PEMBROKE, 0.4)])

    remove_label(session, [photo.id], PEMBROKE, person="ada")

    assert corrections(session, photo.id) == {PEMBROKE: ("removed", "net@2", 0.4)}
    assert labels(session, photo.id) == []
    take_back(session, [photo.id], PEMBROKE)
    assert labels(session, photo.id) == [(PEMBROKE, "net@2", 0.4)]


def test_of_what_only_models_before_had_said_the_surest_is_kept(session: Session) -> None:
    photo = create_finished_photo(session)
    for source, confidence in (("net@2", 0.8), ("net@3", 0.7)):
        record_labels(session, photo.id, source, [FoundLabel(PEMBROKE, confidence)])
    record_labels(session, photo.id, "net@4", [FoundLabel(ESPRESSO, 0.9)])

    remove_label(session, [photo.id], PEMBROKE, person="ada")

    assert corrections(session, photo.id) == {PEMBROKE: ("removed", "net@2", 0.8)}


def test_a_label_comes_back_that_a_version_gave_which_did_not_say_who_it_was(session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    photo.labels_source = None
    session.flush()

    remove_label(session, [photo.id], PEMBROKE, person="ada")
    take_back(session, [photo.id], PEMBROKE)

    assert labels(session, photo.id) == [(PEMBROKE, "net@1", 0.9)]


def test_a_persons_word_outlives_a_new_model_and_its_last_word_counts(session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    remove_label(session, [photo.id], PEMBROKE, person="ada")
    add_label(session, [photo.id], PEMBROKE, person="bob")
    record_labels(session, photo.id, "net@2", [FoundLabel(ESPRESSO, 0.5)])

    assert labels(session, photo.id) == [
        (PEMBROKE, "net@1", 0.9),
        (PEMBROKE, "person:bob", 1),
        (ESPRESSO, "net@2", 0.5),
    ]
    assert corrections(session, photo.id) == {PEMBROKE: ("confirmed", "net@1", 0.9)}


def test_who_sees_a_corgi_takes_back_that_there_is_no_dog(session: Session) -> None:
    photo = create_finished_photo(session)
    remove_label(session, [photo.id], DOG, person="ada")

    add_label(session, [photo.id], PEMBROKE, person="ada")

    assert corrections(session, photo.id) == {PEMBROKE: ("added", None, None)}


def test_who_sees_a_corgi_leaves_no_verdict_on_kinds_that_nobody_has_named(session: Session) -> None:
    photo = create_finished_photo(session, BEAGLE, PEMBROKE)
    remove_label(session, [photo.id], DOG, person="ada")

    add_label(session, [photo.id], PEMBROKE, person="ada")

    assert corrections(session, photo.id) == {PEMBROKE: ("confirmed", "net@1", 0.9)}
    assert labels(session, photo.id) == [
        (BEAGLE, "net@1", 0.9),
        (PEMBROKE, "net@1", 0.9),
        (PEMBROKE, "person:ada", 1),
    ]


@pytest.mark.parametrize("say", [add_label, remove_label])
def test_what_is_said_twice_counts_once(session: Session, say: Say) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    say(session, [photo.id], PEMBROKE, person="ada")
    before = labels(session, photo.id), corrections(session, photo.id)

    say(session, [photo.id, photo.id], PEMBROKE, person="ada")

    assert (labels(session, photo.id), corrections(session, photo.id)) == before


@pytest.mark.parametrize("say", [add_label, remove_label])
def test_what_is_taken_back_was_never_said(session: Session, say: Say) -> None:
    photo = create_finished_photo(session, PEMBROKE, ESPRESSO)
    before = labels(session, photo.id)
    for label_id in (DOG, PEMBROKE):
        say(session, [photo.id], label_id, person="ada")

    for label_id in (PEMBROKE, DOG, TABBY):
        take_back(session, [photo.id], label_id)

    assert labels(session, photo.id) == before
    assert corrections(session, photo.id) == {}


def test_kinds_that_went_with_a_label_come_back_with_it_and_those_removed_by_name_do_not(session: Session) -> None:
    photo, later = (create_finished_photo(session, PEMBROKE).id for _ in range(2))
    remove_label(session, [photo], PEMBROKE, person="ada")
    remove_label(session, [photo, later], DOG, person="ada")
    remove_label(session, [later], TABBY, person="ada")

    take_back(session, [photo, later], DOG)

    assert corrections(session, photo) == {PEMBROKE: ("removed", "net@1", 0.9)}
    assert labels(session, photo) == []
    assert corrections(session, later) == {TABBY: ("removed", None, None)}
    assert labels(session, later) == [(PEMBROKE, "net@1", 0.9)]


def test_only_what_was_named_is_listed_as_removed(session: Session) -> None:
    photo = create_finished_photo(session, BEAGLE, PEMBROKE)
    remove_label(session, [photo.id], DOG, person="ada")
    assert removals_named(session, photo.id) == [DOG]

    remove_label(session, [photo.id], BEAGLE, person="ada")

    assert removals_named(session, photo.id) == [DOG, BEAGLE]
    take_back(session, [photo.id], DOG)
    assert removals_named(session, photo.id) == [BEAGLE]
    assert labels(session, photo.id) == [(PEMBROKE, "net@1", 0.9)]


@pytest.mark.parametrize("named", [BEAGLE, HOUND])
def test_what_is_taken_back_goes_on_going_with_what_is_more_general_and_comes_back_with_that(
    session: Session, named: str
) -> None:
    photo = create_finished_photo(session, BEAGLE)
    for label_id in (named, DOG, ANIMAL):
        remove_label(session, [photo.id], label_id, person="ada")

    for label_id in (named, ANIMAL):
        take_back(session, [photo.id], label_id)
    assert removals_named(session, photo.id) == [DOG]
    assert labels(session, photo.id) == []

    take_back(session, [photo.id], DOG)
    assert corrections(session, photo.id) == {}
    assert labels(session, photo.id) == [(BEAGLE, "net@1", 0.9)]


def test_what_an_older_model_had_said_does_not_come_back(session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    remove_label(session, [photo.id], PEMBROKE, person="ada")
    record_labels(session, photo.id, "net@2", [FoundLabel(ESPRESSO, 0.5)])

    take_back(session, [photo.id], PEMBROKE)

    assert PEMBROKE not in [label_id for label_id, _, _ in labels(session, photo.id)]
    assert corrections(session, photo.id) == {}


def test_people_can_say_only_so_many_labels_of_a_photo_and_those_again(session: Session) -> None:
    full, other = create_finished_photo(session).id, create_finished_photo(session).id
    *said, one_more = session.scalars(select(Label.id).order_by(Label.id).limit(MOST_LABELS + 1))
    for label_id in said:
        add_label(session, [full], label_id, person="ada")

    add_label(session, [full], said[0], person="bob")
    with pytest.raises(TooManyLabelsError, match=str(full)):
        add_label(session, [full, other], one_more, person="ada")

    assert len(labels(session, full)) == MOST_LABELS
    assert labels(session, other) == []


def test_a_photo_with_all_labels_there_are_is_corrected_like_any_other(session: Session) -> None:
    every = session.scalars(select(Label.id)).all()
    photos = [create_finished_photo(session, *every).id for _ in range(2)]
    root = session.scalars(
        select(LabelAncestor.ancestor_id).group_by(LabelAncestor.ancestor_id).order_by(func.count().desc()).limit(1)
    ).one()

    remove_label(session, photos, root, person="ada")
    assert len(labels(session, photos[0])) < len(every)
    take_back(session, photos, root)

    assert len(labels(session, photos[0])) == len(every)


def test_what_goes_without_saying_cannot_be_taken_back(session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    remove_label(session, [photo.id], DOG, person="ada")

    take_back(session, [photo.id], PEMBROKE)

    assert labels(session, photo.id) == []
    assert corrections(session, photo.id) == {DOG: ("removed", None, None), PEMBROKE: ("removed", "net@1", 0.9)}


def test_many_photos_are_corrected_at_once(session: Session) -> None:
    photos = [create_finished_photo(session, PEMBROKE), create_finished_photo(session)]
    ids = [photo.id for photo in photos]

    remove_label(session, ids, PEMBROKE, person="ada")
    add_label(session, ids, TABBY, person="ada")

    assert [labels(session, photo_id) for photo_id in ids] == [[(TABBY, "person:ada", 1)]] * 2
    assert [corrections(session, photo_id)[PEMBROKE] for photo_id in ids] == [
        ("removed", "net@1", 0.9),
        ("removed", None, None),
    ]


@pytest.mark.parametrize("unseen", [{"deleted": True}, {"visibility": "private"}, {}])
def test_photos_that_nobody_may_see_are_refused_by_name_and_nothing_changes(
    session: Session, unseen: dict[str, Any]
) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    other: UUID = uuid7()
    if unseen:
        hidden = create_photo(session)
        hidden.visibility = unseen.get("visibility", "public")
        hidden.deleted_at = hidden.uploaded_at if "deleted" in unseen else None
        session.flush()
        other = hidden.id

    with pytest.raises(UnknownPhotosError, match=f"no photo {other}"):
        remove_label(session, [photo.id, other], PEMBROKE, person="ada")

    assert corrections(session, photo.id) == {}


def test_a_label_that_is_not_there_is_refused_by_name(session: Session) -> None:
    photo = create_photo(session)

    with pytest.raises(UnknownLabelError, match="n00000000"):
        add_label(session, [photo.id], "n00000000", person="ada")


def test_a_model_that_labels_meanwhile_waits_for_the_person(catalog: Engine) -> None:
    with transaction() as session:
        photo_id = create_finished_photo(session, PEMBROKE).id

    def label_anew() -> None:
        with transaction() as session:
            record_labels(session, photo_id, "net@1", [FoundLabel(PEMBROKE, 0.8)])

    labelling = threading.Thread(target=label_anew)
    with transaction() as session:
        remove_label(session, [photo_id], PEMBROKE, person="ada")
        labelling.start()
        labelling.join(0.3)
        assert labelling.is_alive()
    labelling.join()

    with transaction() as session:
        assert labels(session, photo_id) == []
