"""What the workers found: a photo's renditions and labels, recorded anew as often as the work is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from photofleet.catalog.models import PhotoLabel, Rendition


@dataclass(frozen=True)
class StoredRendition:
    """A rendition that is in the bucket: its size in pixels and bytes, and its key."""

    name: str
    format: str
    width: int
    height: int
    size: int
    key: str


@dataclass(frozen=True)
class FoundLabel:
    """A label that a source found on a photo, and how sure it is, from 0 to 1."""

    label_id: str
    confidence: float


def record_renditions(session: Session, photo_id: UUID, renditions: Sequence[StoredRendition]) -> None:
    """Replace what is recorded of a photo's renditions."""
    session.execute(delete(Rendition).where(Rendition.photo_id == photo_id))
    session.add_all(Rendition(photo_id=photo_id, **vars(rendition)) for rendition in renditions)


def record_labels(session: Session, photo_id: UUID, source: str, labels: Sequence[FoundLabel]) -> None:
    """Replace the labels that this source has found on a photo; those of other sources stay."""
    session.execute(delete(PhotoLabel).where(PhotoLabel.photo_id == photo_id, PhotoLabel.source == source))
    session.add_all(
        PhotoLabel(photo_id=photo_id, source=source, label_id=label.label_id, confidence=label.confidence)
        for label in labels
    )
