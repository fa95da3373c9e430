"""How the work on all photos gets on, for the person on call; what these return covers every stage at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased, selectinload

from photofleet.catalog.models import DONE, FAILED, RUNNING, WAITING, Photo, Stage


@dataclass(frozen=True)
class FailedPhotos:
    """Photos that failed in one stage for the same reason.

    Attributes:
        stage: The stage.
        reason: The sentence that their uploaders read.
        photos: How many there are.
        last_error: What went wrong with the newest of them, for engineers.
        latest: When the newest failed.
    """

    stage: str
    reason: str
    photos: int
    last_error: str | None
    latest: datetime


def longest_waits(session: Session, *, longest_attempt: timedelta) -> dict[str, float]:
    """For how many seconds the photo has waited, by stage, that has waited longest; without stages where none waits.

    A photo begins to wait when it is uploaded, and anew when an attempt has gone wrong or it is opened again. One whose
    attempt began longer ago than an attempt can last waits, too: it has died.
    """
    is_waiting = (Stage.state == WAITING) | (
        (Stage.state == RUNNING) & (Stage.updated_at < func.now() - longest_attempt)
    )
    waited = func.extract("epoch", func.now() - func.min(Stage.updated_at))
    rows = session.execute(
        select(Stage.name, waited).join(Photo).where(is_waiting, Photo.deleted_at.is_(None)).group_by(Stage.name)
    )
    return {name: float(seconds) for name, seconds in rows}


def finished_within(session: Session, period: timedelta) -> dict[str, int]:
    """How many photos were finished in the last `period`, by stage; without stages where none was."""
    rows = session.execute(
        select(Stage.name, func.count())
        .where(Stage.state == DONE, Stage.updated_at > func.now() - period)
        .group_by(Stage.name)
    )
    return {name: count for name, count in rows}  # noqa: C416 -- dict() would not tell mypy what is in a row


def failed_photos(session: Session, *, limit: int) -> Sequence[FailedPhotos]:
    """The photos that have failed, by stage and reason, the reason that was met last first; at most `limit` reasons."""
    latest = func.max(Stage.updated_at).label("latest")
    reasons = (
        select(Stage.name, Stage.error, func.count().label("photos"), latest)
        .join(Photo)
        .where(Stage.state == FAILED, Photo.deleted_at.is_(None))
        .group_by(Stage.name, Stage.error)
        .order_by(latest.desc(), Stage.name, Stage.error)
        .limit(limit)
        .subquery()
    )
    newest = aliased(Stage)
    last_error = (
        select(func.max(newest.last_error))  # of several that failed at the same instant, any will do
        .where(newest.state == FAILED, newest.updated_at == reasons.c.latest)
        .where(newest.name == reasons.c.name, newest.error == reasons.c.error)
        .scalar_subquery()
    )
    rows = session.execute(
        select(reasons.c.name, reasons.c.error, reasons.c.photos, last_error, reasons.c.latest).order_by(
            reasons.c.latest.desc(), reasons.c.name, reasons.c.error
        )
    )
    return [FailedPhotos(*row) for row in rows]


def photos_by_id(session: Session, photo_ids: Collection[UUID]) -> dict[UUID, Photo]:
    """Those of the photos that the catalog knows, deleted ones too, with their stages."""
    known = select(Photo).where(Photo.id.in_(photo_ids)).options(selectinload(Photo.stages))
    return {photo.id: photo for photo in session.scalars(known)}
