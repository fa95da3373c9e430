"""The stages of a photo's work: taken up, finished, failed, or tried anew."""

from datetime import timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, func, literal, select, true, update
from sqlalchemy.orm import Session

from photofleet.catalog.models import DONE, FAILED, RUNNING, UNFINISHED, WAITING, Photo, Stage

MAX_ATTEMPTS = 5
"""How often a stage is tried before it is given up."""

LAST_ERROR_LENGTH = 2000

GAVE_UP = "This photo could not be processed, although it was tried several times. We are looking into it."
"""What is stored of a stage that was given up, and by which such stages are found: other words would not find them."""

_is_unfinished = Stage.state.in_(UNFINISHED)

REOPENED = {"state": WAITING, "error": None, "last_error": None, "attempts": 0}


class Refusal(Enum):
    """Why a stage is not to be tried now."""

    NOTHING_OWED = "it has ended, or the photo is gone"
    GIVEN_UP = "it was given up"
    EXHAUSTED = "its attempts are used up, and the last of them died"
    BUSY = "its last attempt is under way"


def start_stage(session: Session, photo_id: UUID, name: str, *, alive: timedelta = timedelta(0)) -> int | Refusal:
    """Note that a worker has taken up a stage.

    Args:
        session: The transaction.
        photo_id: The photo.
        name: The stage.
        alive: For how long after its start the last attempt is taken for alive; its message may have come twice.

    Returns:
        The number of this attempt, from 1; or why there is to be none.
    """
    found = session.execute(
        select(Stage, (Stage.updated_at > func.now() - alive).label("is_fresh"))
        .join(Photo)
        .where(Stage.photo_id == photo_id, Stage.name == name, Photo.deleted_at.is_(None))
        .with_for_update(of=Stage)
    ).one_or_none()
    if found is None:
        return Refusal.NOTHING_OWED
    stage, is_fresh = found
    if stage.state not in UNFINISHED:
        return Refusal.GIVEN_UP if stage.error == GAVE_UP else Refusal.NOTHING_OWED
    if stage.attempts >= MAX_ATTEMPTS:
        return Refusal.BUSY if stage.state == RUNNING and is_fresh else Refusal.EXHAUSTED
    stage.state = RUNNING
    stage.attempts += 1
    session.flush()
    attempts: int = stage.attempts
    return attempts


def has_ended(session: Session, photo_id: UUID, name: str) -> bool:
    """Whether a stage is done or has failed for good; until the transaction ends, nobody can have it tried anew."""
    found = select(Stage.state).where(Stage.photo_id == photo_id, Stage.name == name).with_for_update()
    return session.scalar(found) in (DONE, FAILED)


def finish_stage(session: Session, photo_id: UUID, name: str) -> bool:
    """Note that a stage is done, in the transaction that records its results, before it records them.

    Returns:
        Whether it was still owed. If not, another attempt at the same time was faster, or it was given up meanwhile;
        until that is certain, this waits for the other's transaction.
    """
    return _end(session, photo_id, name, state=DONE)


def fail_stage(
    session: Session, photo_id: UUID, name: str, error: str, last_error: str | None = None, *, says_little: bool = False
) -> bool:
    """Note that a stage has failed for good.

    Args:
        session: The transaction.
        photo_id: The photo.
        name: The stage.
        error: A sentence for the uploader.
        last_error: What went wrong, for engineers; without it, that of the attempt before stands.
        says_little: Whether that of the attempt before, where there is one, tells more.

    Returns:
        Whether the stage was still owed.
    """
    values: dict[str, Any] = _noted(last_error)
    if says_little:
        values = {"last_error": func.coalesce(Stage.last_error, last_error)}
    return _end(session, photo_id, name, state=FAILED, error=error, **values)


def postpone_stage(
    session: Session, photo_id: UUID, name: str, last_error: str | None = None, *, counts: bool = True
) -> None:
    """Note that a stage waits for another attempt, and what went wrong with this one; one may not count as one."""
    attempts = {} if counts else {"attempts": func.greatest(Stage.attempts - 1, 0)}
    _end(session, photo_id, name, state=WAITING, **_noted(last_error), **attempts)


def reopen_failed(session: Session, *, stage: str | None = None, error: str = GAVE_UP) -> int:
    """Have stages that failed for a reason tried anew, as soon as a sweeper looks.

    Args:
        session: The transaction.
        stage: Only this one.
        error: The reason, as the uploader reads it.

    Returns:
        How many photos that concerns.
    """
    has_failed = (Stage.state == FAILED) & (Stage.error == error) & (Stage.name == stage if stage else true())
    # Locked in the order in which all do who change several photos, so that no two wait for each other.
    found = select(Photo.id).join(Stage).where(has_failed).order_by(Photo.id)
    photo_ids = set(session.scalars(found.with_for_update(of=(Stage, Photo), key_share=True)))
    ids = literal(list(photo_ids), ARRAY(Uuid))  # one parameter, as a statement takes no more than 65,535 of them
    for reopened in (
        update(Stage).where(has_failed, Stage.photo_id == any_(ids)).values(REOPENED),
        update(Photo).where(Photo.id == any_(ids)).values(announced_at=None, announcements=0),
    ):
        session.execute(reopened.execution_options(synchronize_session=False))
    session.expire_all()
    return len(photo_ids)


def reopen_stage(session: Session, photo_id: UUID, name: str) -> bool:
    """Have one stage that was given up, or would be, tried anew when its message comes; say whether work is owed."""
    given_up = (Stage.state == FAILED) & (Stage.error == GAVE_UP)
    would_be = _is_unfinished & (Stage.attempts >= MAX_ATTEMPTS)
    reopened = update(Stage).where(given_up | would_be).values(REOPENED)
    session.execute(reopened.where(Stage.photo_id == photo_id, Stage.name == name))
    owed = select(Stage.name).join(Photo).where(Photo.deleted_at.is_(None), _is_unfinished)
    return session.scalar(owed.where(Stage.photo_id == photo_id, Stage.name == name)) is not None


def _noted(last_error: str | None) -> dict[str, str]:
    return {"last_error": last_error.replace("\0", "")[:LAST_ERROR_LENGTH]} if last_error else {}


def _end(session: Session, photo_id: UUID, name: str, *, state: str, **values: Any) -> bool:
    ended = session.scalar(
        update(Stage)
        .where(Stage.photo_id == photo_id, Stage.name == name, _is_unfinished)
        .values(state=state, **values)
        .returning(Stage.name)
    )
    return ended is not None
