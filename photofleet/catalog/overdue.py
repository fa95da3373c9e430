"""The photos whose work is overdue: which to announce again, and how many at once."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from photofleet.catalog.models import UNFINISHED, Photo, Stage

MOST_DOUBLINGS = 6

OUT_OF_TURN = timedelta(minutes=2)
"""SQS delivers about in the order of sending: what was announced so long before what is worked on now is missing."""

A_MOMENT = timedelta(seconds=30)
"""For so long the request that stored a photo may take to announce it."""

LOCK = 0x50686F746F  # any number that nothing else locks: "Photo"


def claim_overdue(
    session: Session,
    *,
    overdue: timedelta,
    backlogged: Collection[str] = (),
    limit: int,
    per: timedelta = timedelta(0),
) -> Sequence[Photo]:
    """Photos whose work is owed, and that were never announced or made no progress for a time.

    That time is `overdue` after the first announcement and doubles with each, so that fleets that are behind do not
    get ever more messages about the same photos. A photo that was never announced is left for a moment to the request
    that stored it.

    A message that waits in a long queue is not lost. While a stage's queue is not empty, a photo is overdue there only
    if its turn has been: if the fleet has started on photos that were announced later.

    Any number of sweepers may look at once: one of them finds something, and claims rows that nobody else has locked,
    until its transaction ends; no worker is kept waiting but one that records its results for such a photo just then.

    Args:
        session: The transaction.
        overdue: How long a photo may go without progress.
        backlogged: The stages whose queues hold messages.
        limit: How many photos may be announced again.
        per: The time to which the limit applies, over all sweepers.
    """
    if not session.scalar(select(func.pg_try_advisory_xact_lock(LOCK))):
        return []
    doublings = func.least(func.greatest(Photo.announcements - 1, 0), MOST_DOUBLINGS)
    now, patience = func.now(), overdue * func.power(2, doublings)
    is_late = Photo.announced_at > Photo.uploaded_at + A_MOMENT
    by_sweepers = (Photo.announcements > 1) | ((Photo.announcements == 1) & is_late)
    lately = select(func.count()).where(by_sweepers, Photo.announced_at > now - per)
    limit -= session.scalar(lately) or 0
    never_announced = Photo.announced_at.is_(None) & (Photo.uploaded_at < now - A_MOMENT)
    forgotten = (Photo.announced_at < now - patience) & (Stage.updated_at < now - patience)
    its_turn_has_been = or_(
        Stage.name.not_in(backlogged), *(_was_passed(name) & (Stage.name == name) for name in backlogged)
    )
    owed = exists().where(
        Stage.photo_id == Photo.id, Stage.state.in_(UNFINISHED), never_announced | (forgotten & its_turn_has_been)
    )
    return session.scalars(
        select(Photo)
        .where(Photo.deleted_at.is_(None), owed)
        .order_by(Photo.id)
        .limit(max(limit, 0))
        .with_for_update(skip_locked=True, key_share=True, of=Photo)
    ).all()


def note_announced(session: Session, photo_id: UUID) -> None:
    """Note that the workers have been told of a photo, by its upload or by a sweeper."""
    session.execute(
        update(Photo).where(Photo.id == photo_id).values(announced_at=func.now(), announcements=Photo.announcements + 1)
    )


def _was_passed(name: str) -> ColumnElement[bool]:
    """Whether the fleet of a stage has started on photos that were announced well after this one.

    Only those count that were announced once, as of others it is unknown which of their messages was received, and
    whose stage has moved since, as the announcement may have been for the sake of another stage.
    """
    photo, stage = aliased(Photo), aliased(Stage)
    front = (
        select(photo.announced_at)
        .join(stage, stage.photo_id == photo.id)
        .where(stage.name == name, stage.attempts > 0, stage.updated_at > photo.announced_at, photo.announcements == 1)
        .order_by(photo.announced_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    return Photo.announced_at < front - OUT_OF_TURN
