"""A label becomes another name for one, and photos keep what they had and what people said."""

from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from photofleet.catalog.corrections import add_label, remove_label, take_back
from photofleet.catalog.migrate import migrate
from photofleet.catalog.models import Correction, Label, PhotoLabel, Searchable
from photofleet.catalog.results import FoundLabel, record_labels
from tests.photofleet.catalog.factories import PEMBROKE, create_photo

TUSKER, ELEPHANT, AFRICAN_ELEPHANT = "n01871265", "n02503517", "n02504458"
TIGER_CAT, TABBY = "n02123159", "n02123045"

Say = Callable[..., None]


@pytest.fixture
def before(session: Session) -> Session:
    """The catalog of a version of which tuskers and tiger cats were labels of their own."""
    for label_id, name in ((TUSKER, "tusker"), (TIGER_CAT, "tiger cat")):
        session.add(Label(id=label_id, name=name, synonyms=[], parents=[], threshold=0.5))
    session.commit()
    return session


def photo_with(session: Session, *found: tuple[str, float]) -> UUID:
    photo = create_photo(session)
    record_labels(session, photo.id, "net@1", [FoundLabel(*label) for label in found])
    photo_id: UUID = photo.id
    return photo_id


def labels(session: Session, photo_id: UUID) -> Sequence[tuple[str, str, float]]:
    """What a photo bears."""
    rows = session.scalars(select(PhotoLabel).where(PhotoLabel.photo_id == photo_id).order_by(PhotoLabel.source))
    return [(row.label_id, row.source, row.confidence) for row in rows]


def verdicts(session: Session, photo_id: UUID) -> dict[str, str]:
    """What people have said of a photo."""
    rows = session.scalars(select(Correction).where(Correction.photo_id == photo_id))
    return {row.label_id: row.verdict for row in rows}


def test_what_was_removed_under_a_name_that_is_merged_does_not_come_back_under_the_other(
    catalog: Engine, before: Session
) -> None:
    photo = photo_with(before, (TUSKER, 0.8), (ELEPHANT, 0.1), (PEMBROKE, 0.6))
    remove_label(before, [photo], TUSKER, person="ada")
    before.commit()

    migrate(catalog)
    record_labels(before, photo, "net@1", [FoundLabel(ELEPHANT, 0.9), FoundLabel(PEMBROKE, 0.6)])

    assert labels(before, photo) == [(PEMBROKE, "net@1", 0.6)]
    assert verdicts(before, photo) == {ELEPHANT: "removed"}
    take_back(before, [photo], ELEPHANT)
    assert (ELEPHANT, "net@1", 0.8) in labels(before, photo)


def test_what_is_less_sure_of_a_label_that_is_removed_by_a_merge_goes_too(catalog: Engine, before: Session) -> None:
    photo = photo_with(before, (TUSKER, 0.8), (ELEPHANT, 0.1), (AFRICAN_ELEPHANT, 0.1))
    remove_label(before, [photo], TUSKER, person="ada")
    before.commit()

    migrate(catalog)

    assert labels(before, photo) == []


def test_what_people_and_models_saw_is_found_as_what_it_is_called_now(catalog: Engine, before: Session) -> None:
    said, seen = photo_with(before), photo_with(before, (TIGER_CAT, 0.7), (TABBY, 0.2))
    add_label(before, [said], TIGER_CAT, person="ada")
    before.commit()

    migrate(catalog)

    assert labels(before, said) == [(TABBY, "person:ada", 1)]
    assert verdicts(before, said) == {TABBY: "added"}
    assert labels(before, seen) == [(TABBY, "net@1", 0.7)]
    tabby = before.scalars(select(Label.number).where(Label.id == TABBY)).one()
    kinds = before.scalars(select(Searchable.kinds).where(Searchable.photo_id.in_([said, seen]))).all()
    assert [tabby in row for row in kinds] == [True, True]


def test_who_removed_a_tusker_and_left_the_elephant_has_not_denied_the_elephant(
    catalog: Engine, before: Session
) -> None:
    photos = [photo_with(before, (TUSKER, 0.6), (shown, 0.7)) for shown in (ELEPHANT, AFRICAN_ELEPHANT)]
    remove_label(before, photos, TUSKER, person="ada")
    before.commit()

    migrate(catalog)

    assert [labels(before, photo)[0][0] for photo in photos] == [ELEPHANT, AFRICAN_ELEPHANT]
    assert [verdicts(before, photo) for photo in photos] == [{}, {}]


@pytest.mark.parametrize(
    ("of_merged", "of_label", "left"),
    [
        (remove_label, add_label, {TABBY: "added"}),
        (add_label, remove_label, {TABBY: "removed"}),
    ],
)
def test_a_word_on_the_label_itself_stands_over_one_on_what_is_merged_into_it(
    catalog: Engine, before: Session, of_merged: Say, of_label: Say, left: dict[str, str]
) -> None:
    photo = photo_with(before)
    of_label(before, [photo], TABBY, person="ada")
    of_merged(before, [photo], TIGER_CAT, person="ada")
    before.commit()

    migrate(catalog)

    assert verdicts(before, photo) == left
    assert [label_id for label_id, _, _ in labels(before, photo)] == [TABBY] * (left[TABBY] == "added")
