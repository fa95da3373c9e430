"""Photos: storing one, and looking them up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload, undefer
from sqlalchemy.orm.attributes import set_committed_value

from photofleet.catalog.models import STAGES, Photo, Stage


@dataclass(frozen=True)
class NewPhoto:
    """What is known of a photo when it is uploaded; `width` and `height` as displayed."""

    id: UUID
    owner: str
    filename: str
    sha256: bytes
    size: int
    format: str
    width: int
    height: int
    taken_at: datetime | None
    request_id: str


@dataclass(frozen=True)
class Page:
    """Some photos, newest first, and the id before which the next page starts; None on the last."""

    photos: Sequence[Photo]
    next_before: UUID | None


def add_photo(session: Session, new: NewPhoto) -> Photo | None:
    """Store a photo with all its stages waiting; None if its owner has these very bytes already."""
    photo = Photo(**vars(new), stages=[Stage(name=name) for name in STAGES], renditions=[])
    try:
        with session.begin_nested():
            session.add(photo)
    except IntegrityError as error:
        if "uq_photos_owner_sha256" not in str(error.orig):
            raise
        return None
    set_committed_value(photo, "sure_labels", [])
    return photo


def find_duplicate(session: Session, owner: str, sha256: bytes) -> Photo | None:
    """The owner's photo with these very bytes, if there is one."""
    return session.scalar(_with_details(_present().where(Photo.owner == owner, Photo.sha256 == sha256)))


def get_photo(session: Session, photo_id: UUID) -> Photo | None:
    """One photo that anybody may see, with its stages, renditions and labels; None if there is none."""
    return session.scalar(_with_details(visible_photos().where(Photo.id == photo_id)))


def get_present_photo(session: Session, photo_id: UUID) -> Photo | None:
    """One photo, whoever may see it; None if there is none or it was deleted."""
    return session.scalar(_present().where(Photo.id == photo_id))


def get_photos(session: Session, photo_ids: Sequence[UUID]) -> Sequence[Photo]:
    """Those of the photos that there are, newest first."""
    wanted = visible_photos().where(Photo.id.in_(photo_ids))
    return session.scalars(_with_details(wanted.order_by(Photo.id.desc()))).all()


def newest_photos(session: Session, *, before: UUID | None, limit: int) -> Page:
    """The newest photos, or the newest of those uploaded before the photo with the id `before`."""
    return page_of(session, visible_photos(), before=before, limit=limit)


def page_of(session: Session, photos: Select[Photo], *, before: UUID | None, limit: int) -> Page:
    """One page of a selection of photos. The ids are in order of upload, and so serve as the key of the page."""
    if before is not None:
        photos = photos.where(Photo.id < before)
    found = session.scalars(_with_details(photos.order_by(Photo.id.desc()).limit(limit + 1))).all()
    more = len(found) > limit
    return Page(found[:limit], found[limit - 1].id if more else None)


def visible_photos() -> Select[Photo]:
    """The photos that anybody may see, for selecting from."""
    return _present().where(Photo.visibility == "public")


def _present() -> Select[Photo]:
    return select(Photo).where(Photo.deleted_at.is_(None))


def _with_details(photos: Select[Photo]) -> Select[Photo]:
    return photos.options(selectinload(Photo.stages), selectinload(Photo.renditions), undefer(Photo.sure_labels))
