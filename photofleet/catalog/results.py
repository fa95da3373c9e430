"""What the workers found: a photo's renditions and labels, recorded anew as often as the work is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from photofleet.catalog.models import (
    REMOVED,
    Correction,
    Embedding,
    LabelAncestor,
    Photo,
    PhotoLabel,
    Rendition,
)


@dataclass(frozen=True)
class StoredRendition:
    """A rendition that is in the bucket: its size in pixels and bytes, its key, and how it got into its box."""

    name: str
    format: str
    width: int
    height: int
    size: int
    key: str
    mode: str


@dataclass(frozen=True)
class FoundLabel:
    """A label that a source found on a photo, and how sure it is, from 0 to 1."""

    label_id: str
    confidence: float


def record_renditions(
    session: Session,
    photo_id: UUID,
    renditions: Sequence[StoredRendition],
    *,
    preview: bytes | None,
    colour: str,
    revision: str,
) -> None:
    """Replace what is recorded of a photo's renditions.

    Args:
        session: The transaction.
        photo_id: The photo.
        renditions: All that it has now.
        preview: A WebP of a few hundred bytes that is shown until one of them is there, if there is any.
        colour: The colour that is shown until then, as #rrggbb.
        revision: That of the setting with which they were made.
    """
    session.execute(delete(Rendition).where(Rendition.photo_id == photo_id))
    session.add_all(Rendition(photo_id=photo_id, **vars(rendition)) for rendition in renditions)
    session.execute(
        update(Photo)
        .where(Photo.id == photo_id)
        .values(preview=preview, colour=colour, renditions_revision=revision)
        .execution_options(synchronize_session=False)
    )


def recorded_renditions(session: Session, photo_id: UUID) -> Sequence[Rendition]:
    """A photo's renditions, the smallest first."""
    recorded = select(Rendition).where(Rendition.photo_id == photo_id).order_by(Rendition.width, Rendition.format)
    return session.scalars(recorded).all()


def recorded_keys(session: Session, photo_id: UUID) -> set[str]:
    """The keys of a photo's renditions: what is in the bucket beside them is of no use to anybody."""
    return set(session.scalars(select(Rendition.key).where(Rendition.photo_id == photo_id)))


def record_labels(
    session: Session,
    photo_id: UUID,
    source: str,
    labels: Sequence[FoundLabel],
    *,
    embedding: Sequence[float] | None = None,
) -> None:
    """Replace what a model has found on a photo; what others have found stays, and a person's word stands.

    Args:
        session: The transaction.
        photo_id: The photo.
        source: The model and its version.
        labels: What it shows now. Labels that a person has removed are left out, as are kinds of these.
        embedding: What the model saw, as DIMENSIONS numbers, if it tells.
    """
    # First, as it locks the photo's row, so that nobody corrects its labels between reading and writing them.
    session.execute(
        update(Photo)
        .where(Photo.id == photo_id)
        .values(labels_source=source)
        .execution_options(synchronize_session=False)
    )
    removed = _removed(session, photo_id)
    for kind in (PhotoLabel, Embedding):
        session.execute(delete(kind).where(kind.photo_id == photo_id, kind.source == source))
    rows = [
        {"photo_id": photo_id, "source": source, "label_id": label.label_id, "confidence": label.confidence}
        for label in labels
        if label.label_id not in removed
    ]
    if rows:  # in one statement, since a trigger works at the end of each
        session.execute(insert(PhotoLabel).values(rows))
    if embedding is not None:
        session.add(Embedding(photo_id=photo_id, source=source, embedding=embedding))


def _removed(session: Session, photo_id: UUID) -> set[str]:
    """The labels that a person has said a photo does not show, with all kinds of them."""
    corrections = select(Correction.label_id).where(Correction.photo_id == photo_id, Correction.verdict == REMOVED)
    kinds = select(LabelAncestor.label_id).where(LabelAncestor.ancestor_id.in_(corrections))
    return set(session.scalars(corrections.union(kinds)))
