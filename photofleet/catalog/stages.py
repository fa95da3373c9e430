"""The stages of a photo's work: taken up, finished, failed, or found overdue."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.orm import Session

from photofleet.catalog.models import DONE, FAILED, RUNNING, UNFINISHED, WAITING, Photo, Stage

MAX_ATTEMPTS = 5
"""How often a stage is tried; as maxReceiveCount of the queues in cloudformation/messaging.yaml."""

GAVE_UP = f"This photo could not be processed: it was tried {MAX_ATTEMPTS} times. We are looking into it."


def start_stage(session: Session, photo_id: UUID, name: str) -> int | None:
    """Note that a worker has taken up a stage.

    Returns:
        The number of this attempt, from 1; None if nothing is owed: the stage has ended, or the photo is gone.
    """
    still_there = exists().where(Photo.id == photo_id, Photo.deleted_at.is_(None))
    return session.scalar(
        update(Stage)
        .where(Stage.photo_id == photo_id, Stage.name == name, Stage.state.in_(UNFINISHED), still_there)
        .values(state=RUNNING, attempts=Stage.attempts + 1)
        .returning(Stage.attempts)
    )


def finish_stage(session: Session, photo_id: UUID, name: str) -> None:
    """Note that a stage's results are recorded, in the transaction that records them."""
    _set(session, photo_id, name, state=DONE, error=None)


def fail_stage(session: Session, photo_id: UUID, name: str, error: str) -> None:
    """Note that a stage has failed for good, with a sentence for the uploader."""
    _set(session, photo_id, name, state=FAILED, error=error)


def postpone_stage(session: Session, photo_id: UUID, name: str) -> None:
    """Note that a stage waits for another attempt."""
    _set(session, photo_id, name, state=WAITING, error=None)


def note_announced(session: Session, photo_id: UUID) -> None:
    """Note that the workers have been told of a photo."""
    session.execute(update(Photo).where(Photo.id == photo_id).values(announced_at=func.now()))


def claim_overdue(session: Session, *, overdue: timedelta, limit: int) -> Sequence[Photo]:
    """Photos whose work is owed, and that were never announced or made no progress for the time `overdue`.

    The rows stay locked until the transaction ends and are passed over by other sweepers, so that any number of
    them may look at once. A photo is given a short time to be announced by the request that stored it.
    """
    unannounced = Photo.announced_at.is_(None) & (Photo.uploaded_at < func.now() - min(overdue, timedelta(seconds=30)))
    owed = exists().where(
        Stage.photo_id == Photo.id,
        Stage.state.in_(UNFINISHED),
        or_(
            unannounced,
            (Photo.announced_at < func.now() - overdue) & (Stage.updated_at < func.now() - overdue),
        ),
    )
    return session.scalars(
        select(Photo)
        .where(Photo.deleted_at.is_(None), owed)
        .order_by(Photo.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Photo)
    ).all()


def give_up_exhausted(session: Session, *, overdue: timedelta) -> Sequence[Stage]:
    """Fail the stages that have used up their attempts and made no progress since: they took their worker down."""
    return session.scalars(
        update(Stage)
        .where(
            Stage.state.in_(UNFINISHED),
            Stage.attempts >= MAX_ATTEMPTS,
            Stage.updated_at < func.now() - overdue,
        )
        .values(state=FAILED, error=GAVE_UP)
        .returning(Stage)
    ).all()


def _set(session: Session, photo_id: UUID, name: str, *, state: str, error: str | None) -> None:
    session.execute(
        update(Stage).where(Stage.photo_id == photo_id, Stage.name == name).values(state=state, error=error)
    )
