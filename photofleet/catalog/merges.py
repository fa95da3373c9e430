"""Labels that have become another name for one: what photos bear of them, and what people said, is of that one now."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Text,
    Values,
    column,
    delete,
    exists,
    func,
    or_,
    select,
    update,
    values,
)
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import aliased

from photofleet.catalog.models import REMOVED, Correction, Label, LabelAncestor, Photo, PhotoLabel
from photofleet.catalog.taxonomy import load_taxonomy

SPAN = 500
"""Photos that are done in one transaction, for which others who change their labels may have to wait."""


def move_merged(engine: Engine) -> None:
    """Give photos the labels into which the stored taxonomy has merged others, in short transactions.

    What was said of the label itself stands over what was said of one that is merged into it, and of several of
    these the last word. That a photo did not show what is merged now is dropped where it shows the label or a kind of
    it: whoever said so has let that stand. What is broken off is done by the next call.
    """
    merged = {other: label.id for label in load_taxonomy() for other in label.merged}
    for label_id in merged:
        borne = select(PhotoLabel.photo_id).where(PhotoLabel.label_id == label_id).limit(SPAN)
        judged = select(Correction.photo_id).where(Correction.label_id == label_id).limit(SPAN)
        for bearing in (borne, judged):
            while _move(engine, bearing, merged):
                pass


def _move(engine: Engine, bearing: Select[UUID], merged: Mapping[str, str]) -> bool:
    """Do it for some photos; whether there were any."""
    # Locked as by all who change photos' labels, in the same order.
    affected = select(Photo.id).where(Photo.id.in_(bearing)).order_by(Photo.id).with_for_update(key_share=True)
    with engine.begin() as connection:
        photos = connection.scalars(affected).all()
        if photos:
            _move_labels(connection, photos, merged)
            _move_corrections(connection, photos, merged)
            _delete_removed(connection, photos, set(merged.values()))
    return bool(photos)


def _move_labels(connection: Connection, photos: Sequence[UUID], merged: Mapping[str, str]) -> None:
    becomes = _becomes(merged)
    upsert = insert(PhotoLabel).from_select(
        ["photo_id", "label_id", "source", "confidence"],
        select(PhotoLabel.photo_id, becomes.c.label, PhotoLabel.source, func.max(PhotoLabel.confidence))
        .join(becomes, becomes.c.merged == PhotoLabel.label_id)
        .where(PhotoLabel.photo_id.in_(photos))
        .group_by(PhotoLabel.photo_id, becomes.c.label, PhotoLabel.source),
    )
    surest = func.greatest(PhotoLabel.confidence, upsert.excluded.confidence)
    connection.execute(
        upsert.on_conflict_do_update(
            index_elements=[PhotoLabel.photo_id, PhotoLabel.label_id, PhotoLabel.source], set_={"confidence": surest}
        )
    )
    connection.execute(delete(PhotoLabel).where(PhotoLabel.photo_id.in_(photos), PhotoLabel.label_id.in_(merged)))


def _move_corrections(connection: Connection, photos: Sequence[UUID], merged: Mapping[str, str]) -> None:
    becomes = _becomes(merged)
    names = ["verdict", "removed_with", "person", "at", "source", "confidence"]
    last = (
        select(Correction.photo_id, becomes.c.label, *(getattr(Correction, name) for name in names))
        .join(becomes, becomes.c.merged == Correction.label_id)
        .where(Correction.photo_id.in_(photos), or_(Correction.verdict != REMOVED, ~_shows(becomes.c.label)))
        .ext(distinct_on(Correction.photo_id, becomes.c.label))
        .order_by(Correction.photo_id, becomes.c.label, Correction.at.desc())
    )
    moved = insert(Correction).from_select(["photo_id", "label_id", *names], last)
    connection.execute(moved.on_conflict_do_nothing())
    connection.execute(delete(Correction).where(Correction.photo_id.in_(photos), Correction.label_id.in_(merged)))
    connection.execute(
        update(Correction)
        .where(Correction.photo_id.in_(photos), Correction.removed_with == becomes.c.merged)
        .values(removed_with=becomes.c.label, at=Correction.at)
    )


def _shows(label: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the photo of a correction shows a label or a kind of it."""
    shown = aliased(Label)
    return (
        exists()
        .where(PhotoLabel.photo_id == Correction.photo_id, PhotoLabel.label_id == LabelAncestor.label_id)
        .where(LabelAncestor.ancestor_id == label, shown.id == PhotoLabel.label_id)
        .where(PhotoLabel.confidence >= shown.least_confidence)
    )


def _delete_removed(connection: Connection, photos: Sequence[UUID], label_ids: Collection[str]) -> None:
    """Delete what a model may have said, less sure, of labels that a person has removed."""
    connection.execute(
        delete(PhotoLabel)
        .where(PhotoLabel.photo_id == Correction.photo_id, PhotoLabel.label_id == LabelAncestor.label_id)
        .where(Correction.photo_id.in_(photos), Correction.label_id.in_(label_ids), Correction.verdict == REMOVED)
        .where(LabelAncestor.ancestor_id == Correction.label_id)
    )


def _becomes(merged: Mapping[str, str]) -> Values:
    return values(column("merged", Text), column("label", Text), name="becomes").data(list(merged.items()))
