"""The labels and vectors that are of other models than the one that labelled their photo last.

During a refresh, a photo has those of the old model beside those of the new one, so that all photos can be found by
either. When all have been labelled anew, the old ones are deleted. What people have said stays, and so does all that a
photo has whose new labelling failed: its last model is the old one.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, and_, any_, delete, exists, func, literal, or_, select, text
from sqlalchemy.orm import Session

from photofleet.catalog.models import PERSON, Embedding, Photo, PhotoLabel
from photofleet.catalog.outdated import ids_of_span

SPAN = 1000
"""So many photos are looked at in one transaction, which keeps who corrects one of them waiting for a moment only."""


@dataclass(frozen=True)
class Cleared:
    """Of how many photos something was deleted, and the id before which the next ones are; None after the last."""

    photos: int
    next_before: UUID | None


def count_photos(session: Session) -> int:
    """How many photos are to be gone through; with millions, it takes longer than statements may otherwise."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    return session.scalar(select(func.count()).select_from(Photo)) or 0


def delete_superseded(session: Session, *, before: UUID | None) -> Cleared:
    """Delete what is superseded of one span of photos, the newest first."""
    wanted, oldest = ids_of_span(session, SPAN, before=before)
    has_superseded = or_(*(exists().where(_is_superseded(kind)) for kind in (PhotoLabel, Embedding)))
    # Locked in the order in which all do who change photos' labels, so that no two wait for each other.
    found = wanted.where(has_superseded).order_by(Photo.id).with_for_update(key_share=True)
    photo_ids = session.scalars(found).all()
    if not photo_ids:
        return Cleared(0, oldest)
    for kind in (PhotoLabel, Embedding):
        session.execute(
            delete(kind)
            .where(_is_superseded(kind), Photo.id == any_(literal(photo_ids, ARRAY(Uuid))))
            .execution_options(synchronize_session=False)
        )
    return Cleared(len(photo_ids), oldest)


def _is_superseded(kind: type[PhotoLabel] | type[Embedding]) -> ColumnElement[bool]:
    by_other = kind.source != Photo.labels_source  # of a photo that does not say, nothing is
    return and_(kind.photo_id == Photo.id, by_other, ~kind.source.startswith(PERSON))
