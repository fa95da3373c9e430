"""What the workers found: a photo's renditions and labels, recorded anew as often as the work is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from photofleet.catalog.models import Photo, PhotoLabel, Rendition


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


def recorded_keys(session: Session, photo_id: UUID) -> set[str]:
    """The keys of a photo's renditions: what is in the bucket beside them is of no use to anybody."""
    return set(session.scalars(select(Rendition.key).where(Rendition.photo_id == photo_id)))


def record_labels(session: Session, photo_id: UUID, source: str, labels: Sequence[FoundLabel]) -> None:
    """Replace the labels that this source has found on a photo; those of other sources stay."""
    session.execute(delete(PhotoLabel).where(PhotoLabel.photo_id == photo_id, PhotoLabel.source == source))
    session.add_all(
        PhotoLabel(photo_id=photo_id, source=source, label_id=label.label_id, confidence=label.confidence)
        for label in labels
    )
