"""The rows that keep people's words on labels, beside what models had said: written, and withdrawn again."""

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, column, delete, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session, aliased

from photofleet.catalog.models import PERSON, REMOVED, Correction, LabelAncestor, Photo, PhotoLabel

Pair = tuple[UUID, str]
"""A photo and a label."""

BY_ITS_MODEL = func.coalesce(Photo.labels_source, Correction.source) == Correction.source
"""That what a model had said is of the one that labelled the photo last, be it one from before that was noted."""


def machine_words(session: Session, pairs: Collection[Pair]) -> dict[Pair, tuple[str, float]]:
    """Which model says that photos show labels, or had said so before a person removed them, and how sure it is.

    That is the model that labelled the photo last or, where it says nothing of the label, the surest other.
    """
    before = session.execute(
        select(Correction.photo_id, Correction.label_id, Correction.source, Correction.confidence).where(
            _among(Correction, pairs), Correction.source.is_not(None)
        )
    )
    now = session.execute(
        select(PhotoLabel.photo_id, PhotoLabel.label_id, PhotoLabel.source, PhotoLabel.confidence)
        .join(Photo, Photo.id == PhotoLabel.photo_id)
        .where(_among(PhotoLabel, pairs), ~PhotoLabel.source.startswith(PERSON))
        .order_by(PhotoLabel.source.is_not_distinct_from(Photo.labels_source), PhotoLabel.confidence)
    )
    return {(photo, label): (source, confidence) for photo, label, source, confidence in (*before, *now)}


def record(
    session: Session,
    verdicts: Mapping[Pair, str],
    *,
    said_of: str,
    said: Mapping[Pair, tuple[str, float]],
    person: str,
) -> None:
    """Write down what a person says, over whatever was said of the same before.

    Args:
        session: The transaction, in which the photos' rows are locked.
        verdicts: What follows from it for which labels.
        said_of: The label that the person named; others among the verdicts go with it.
        said: What models say of these.
        person: Who says so.
    """
    if not verdicts:
        return
    rows = []
    for (photo, label), verdict in verdicts.items():
        source, confidence = said.get((photo, label), (None, None))
        row = {"photo_id": photo, "label_id": label, "verdict": verdict, "person": person}
        removed_with = None if label == said_of else said_of
        rows.append(row | {"removed_with": removed_with, "source": source, "confidence": confidence})
    upsert = insert(Correction)
    changes = {name: upsert.excluded[name] for name in ("verdict", "person", "removed_with", "source", "confidence")}
    session.execute(
        upsert.on_conflict_do_update(
            index_elements=[Correction.photo_id, Correction.label_id], set_=changes | {"at": func.now()}
        ),
        rows,
    )


def withdraw(session: Session, *which: ColumnElement[bool]) -> None:
    """Forget what was said, as if nobody had: what the photos' models had said of it counts again.

    What goes without saying by another word, as the photo does not show something more general, goes with that one
    from now on.

    Args:
        session: The transaction, in which the photos' rows are locked.
        which: The corrections; those that went with one of them must be among them.
    """
    wanted = select(Correction.photo_id, Correction.label_id).where(*which)
    pairs = {(photo, label) for photo, label in session.execute(wanted)}
    pairs -= _hand_over(session, pairs)
    forget_people(session, pairs)
    restored = (
        select(Correction.photo_id, Correction.label_id, Correction.source, Correction.confidence)
        .join(Photo, Photo.id == Correction.photo_id)
        .where(_among(Correction, pairs), BY_ITS_MODEL)
    )
    columns = ("photo_id", "label_id", "source", "confidence")
    session.execute(insert(PhotoLabel).from_select(columns, restored).on_conflict_do_nothing())
    session.execute(delete(Correction).where(_among(Correction, pairs)))


def forget_people(session: Session, pairs: Collection[Pair]) -> None:
    """Delete what people have put on photos of these labels."""
    session.execute(delete(PhotoLabel).where(_among(PhotoLabel, pairs), PhotoLabel.source.startswith(PERSON)))


def _hand_over(session: Session, pairs: Collection[Pair]) -> set[Pair]:
    """Let those of the removed labels go with another word that holds for them, too; returns these."""
    other = aliased(Correction)
    held = (
        select(Correction.photo_id, Correction.label_id, func.min(other.label_id).label("by"))
        .join(LabelAncestor, LabelAncestor.label_id == Correction.label_id)
        .join(other, (other.photo_id == Correction.photo_id) & (other.label_id == LabelAncestor.ancestor_id))
        .where(_among(Correction, pairs), Correction.verdict == REMOVED)
        .where(~_among(other, pairs), other.verdict == REMOVED, other.removed_with.is_(None))
        .group_by(Correction.photo_id, Correction.label_id)
        .subquery()
    )
    handed = session.execute(
        update(Correction)
        .where(Correction.photo_id == held.c.photo_id, Correction.label_id == held.c.label_id)
        .values(removed_with=held.c.by, at=Correction.at)
        .returning(Correction.photo_id, Correction.label_id)
        .execution_options(synchronize_session=False)
    )
    return {(photo, label) for photo, label in handed}


def _among(table: type[PhotoLabel] | type[Correction], pairs: Collection[Pair]) -> ColumnElement[bool]:
    """Two parameters, however many pairs there are: a statement can have no more than 65,535."""
    photos = literal([photo for photo, _ in pairs], ARRAY(Uuid))
    labels = literal([label for _, label in pairs], ARRAY(Text))
    wanted = func.unnest(photos, labels).table_valued(column("photo", Uuid), column("label", Text)).render_derived()
    return tuple_(table.photo_id, table.label_id).in_(select(wanted.c.photo, wanted.c.label))
