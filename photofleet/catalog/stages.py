"""The stages of a photo's work: taken up, finished, failed, or found overdue."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from photofleet.catalog.models import DONE, FAILED, RUNNING, UNFINISHED, WAITING, Photo, Stage

MAX_ATTEMPTS = 5
"""How often a stage is tried; as maxReceiveCount of the queues in cloudformation/messaging.yaml."""

MOST_DOUBLINGS = 6

GAVE_UP = f"This photo could not be processed: it was tried {MAX_ATTEMPTS} times. We are looking into it."

_is_unfinished = Stage.state.in_(UNFINISHED)


def start_stage(session: Session, photo_id: UUID, name: str) -> int | None:
    """Note that a worker has taken up a stage.

    Returns:
        The number of this attempt, from 1; None if nothing is owed: the stage has ended, or the photo is gone.
    """
    still_there = exists().where(Photo.id == photo_id, Photo.deleted_at.is_(None))
    return session.scalar(
        update(Stage)
        .where(Stage.photo_id == photo_id, Stage.name == name, _is_unfinished, still_there)
        .values(state=RUNNING, attempts=Stage.attempts + 1)
        .returning(Stage.attempts)
    )


def finish_stage(session: Session, photo_id: UUID, name: str) -> bool:
    """Note that a stage is done, in the transaction that records its results, before it records them.

    Returns:
        Whether it was still owed. If not, another attempt at the same time was faster, or it was given up meanwhile;
        until that is certain, this waits for the other's transaction.
    """
    return _end(session, photo_id, name, state=DONE)


def fail_stage(session: Session, photo_id: UUID, name: str, error: str) -> None:
    """Note that a stage has failed for good, with a sentence for the uploader."""
    _end(session, photo_id, name, state=FAILED, error=error)


def postpone_stage(session: Session, photo_id: UUID, name: str) -> None:
    """Note that a stage waits for another attempt."""
    _end(session, photo_id, name, state=WAITING)


def note_announced(session: Session, photo_id: UUID) -> None:
    """Note that the workers have been told of a photo."""
    session.execute(
        update(Photo).where(Photo.id == photo_id).values(announced_at=func.now(), announcements=Photo.announcements + 1)
    )


def claim_overdue(session: Session, *, overdue: timedelta, limit: int) -> Sequence[Photo]:
    """Photos whose work is owed, and that were never announced or made no progress for a time.

    That time is `overdue` after the first announcement and doubles with each, so that fleets that are behind do not
    get ever more messages about the same photos. A photo that was never announced is left for a moment to the request
    that stored it. The rows stay locked until the transaction ends and are passed over by other sweepers, so that any
    number of them may look at once; workers are not kept waiting by the locks.
    """
    now, patience = func.now(), overdue * func.power(2, func.least(Photo.announcements - 1, MOST_DOUBLINGS))
    never_announced = Photo.announced_at.is_(None) & (Photo.uploaded_at < now - min(overdue, timedelta(seconds=30)))
    forgotten = (Photo.announced_at < now - patience) & (Stage.updated_at < now - patience)
    owed = exists().where(Stage.photo_id == Photo.id, _is_unfinished, never_announced | forgotten)
    return session.scalars(
        select(Photo)
        .where(Photo.deleted_at.is_(None), owed)
        .order_by(Photo.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True, of=Photo)
    ).all()


def give_up_exhausted(session: Session, *, overdue: timedelta) -> Sequence[Stage]:
    """Fail the stages that have used up their attempts and made no progress since: they took their worker down."""
    return session.scalars(
        update(Stage)
        .where(_is_unfinished, Stage.attempts >= MAX_ATTEMPTS, Stage.updated_at < func.now() - overdue)
        .values(state=FAILED, error=GAVE_UP)
        .returning(Stage)
    ).all()


def reopen_given_up(session: Session) -> int:
    """Have the stages that were given up tried anew, as soon as a sweeper looks; say how many photos that are."""
    reopened = session.scalars(
        update(Stage)
        .where(Stage.state == FAILED, Stage.error == GAVE_UP)
        .values(state=WAITING, error=None, attempts=0)
        .returning(Stage.photo_id)
    ).all()
    session.execute(update(Photo).where(Photo.id.in_(reopened)).values(announced_at=None, announcements=0))
    return len(set(reopened))


def _end(session: Session, photo_id: UUID, name: str, *, state: str, error: str | None = None) -> bool:
    ended = session.scalar(
        update(Stage)
        .where(Stage.photo_id == photo_id, Stage.name == name, _is_unfinished)
        .values(state=state, error=error)
        .returning(Stage.name)
    )
    return ended is not None
