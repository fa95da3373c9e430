"""Photos that look like another: those whose embeddings point in about the same direction."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Float, select
from sqlalchemy.orm import Session

from photofleet.catalog.models import Embedding, Photo
from photofleet.catalog.photos import get_photos, visible_photos
from photofleet.catalog.search.planning import at_most, set_locally

MOST_MS = 500
"""Likeness is an extra; nobody waits for it, nor for the database because of it."""

TOO_SLOW = "Photos like this one could not be found in time. Please try again in a minute."

_SETTINGS = {
    # Where others' embeddings, or photos that nobody may see, are among the nearest, the index is asked for more.
    "hnsw.iterative_scan": "strict_order",
    # Where all of the nearest are such, fewer photos are found, rather than all embeddings read.
    "hnsw.max_scan_tuples": "2000",
    "hnsw.ef_search": "100",
}


def similar_photos(session: Session, photo: Photo, *, limit: int) -> Sequence[Photo]:
    """The photos most like this one, the most alike first; none if no model has looked at it.

    Only what one model says is compared, as vectors of others mean other things: that which labelled the photo last or,
    until a refresh is done, the one before, which has seen the photos that the new one has yet to see. The index is one
    of nearest neighbours that are nearly always right (HNSW, https://arxiv.org/abs/1603.09320).

    Raises:
        TooSlowError: they were not found in time.
    """
    with at_most(session, MOST_MS, TOO_SLOW):
        photo_ids = _nearest(session, photo, limit)
        by_id = {found.id: found for found in get_photos(session, photo_ids)}
    return [by_id[photo_id] for photo_id in photo_ids if photo_id in by_id]


def _nearest(session: Session, photo: Photo, limit: int) -> Sequence[UUID]:
    others_first = (Embedding.source == photo.labels_source, Embedding.source)
    seen = session.scalar(select(Embedding).where(Embedding.photo_id == photo.id).order_by(*others_first).limit(1))
    if seen is None:
        return []
    set_locally(session, _SETTINGS)
    nearest = (
        visible_photos()
        .join(Embedding, Embedding.photo_id == Photo.id)
        .where(Embedding.source == seen.source, Embedding.photo_id != photo.id)
        .order_by(Embedding.embedding.op("<=>", return_type=Float())(seen.embedding))
        .limit(limit)
    )
    return session.scalars(nearest.with_only_columns(Photo.id)).all()
