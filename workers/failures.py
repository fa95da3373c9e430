"""What becomes of a task that fails: the one policy for every fleet.

    ===========  =================================  ========================  ========================================
    kind         sign                               its stage                 its message
    ===========  =================================  ========================  ========================================
    permanent    the work raises `BadImage`         failed, with a sentence   deleted
    transient    it raises anything else, or is     waiting for another       comes again after a time that doubles;
                 told to stop at the soft time      attempt; after the last   after the last attempt it goes to the
                 limit                              one failed: given up      dead-letter queue
    out of       an allocation beyond the limit     as transient              as transient
    memory       of workers/memory.py
    outage       the database or AWS is away, or    waiting; where that can   comes again after such a time
                 the work raises `Outage`           be recorded, it does not
                                                    count as an attempt
    hung         killed at the hard time limit      running until the next    comes again after such a time; the
    poison       its process dies                   attempt; after the last   attempt after the last goes to the
                                                    one failed: given up      dead-letter queue without being made
    foreign      not as we announce photos          none                      goes to the dead-letter queue
    ===========  =================================  ========================  ========================================

A message that no worker gets even so far with, as it takes the whole worker down or the database is away for long, is
moved to the dead-letter queue by SQS itself, after the maxReceiveCount of cloudformation/messaging.yaml; the sweeper
announces its photo anew. A message that a stopping worker hands back comes again at once.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, NoReturn
from uuid import UUID

from celery import Task, current_task
from celery.exceptions import Reject
from sqlalchemy import exc
from sqlalchemy.orm import Session

from photofleet.catalog.database import transaction
from photofleet.catalog.stages import GAVE_UP, MAX_ATTEMPTS, Refusal, fail_stage, has_ended, postpone_stage
from photofleet.settings import get_settings
from photofleet.storage import is_storage_outage

logger = logging.getLogger(__name__)

OUTAGE_PAUSE_S = 5

DIED = "The process of its last attempt died or hung."

CleanUp = Callable[[Session, UUID], None]
"""Removes what attempts with a photo have left outside of the catalog, and the catalog does not know."""


class Outage(Exception):  # noqa: N818 - as `BadImage`
    """Something that work needs, whatever the photo, is away."""


class PhotoTask(Task):  # type: ignore[misc]  # Celery has no types
    """A task about a photo."""

    abstract = True
    Request = "workers.requests:PhotoRequest"

    def retry(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: it would send the message to the topic, and every fleet would do its work again."""
        raise TypeError("A task about a photo is not retried: raise any other exception, and its message comes again.")


def in_a_line(error: Exception) -> str:
    """What went wrong, without the statements and hints that a database adds."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def fail(name: str, photo_id: UUID, sentence: str, last_error: str, clean_up: CleanUp) -> None:
    """Record that a stage has failed for good, and clean up what an attempt may have left.

    In this order: another attempt that is under way may still be done first, and what it has stored must stay.
    """
    with transaction() as session:
        fail_stage(session, photo_id, name, sentence, last_error, says_little=last_error == DIED)
    clean_up_ended(name, photo_id, clean_up)


def clean_up_ended(name: str, photo_id: UUID, clean_up: CleanUp) -> None:
    """Clean up what attempts may have left, if the stage has ended; nobody has it tried anew meanwhile.

    An attempt that is under way even so, beside the one that has ended it, does this once more for itself.
    """
    with transaction() as session:
        if has_ended(session, photo_id, name):
            clean_up(session, photo_id)


def refuse(refusal: Refusal, name: str, photo_id: UUID, clean_up: CleanUp) -> Reject | None:
    """Return what becomes of a message whose stage is not to be tried now; None if there is nothing to do."""
    match refusal:
        case Refusal.NOTHING_OWED:
            if is_redelivered():  # whoever ended it may have been killed before it was cleaned up
                clean_up_ended(name, photo_id, clean_up)
            return None
        case Refusal.EXHAUSTED:
            return _give_up(name, photo_id, DIED, clean_up)
        case Refusal.GIVEN_UP:
            clean_up_ended(name, photo_id, clean_up)  # whoever gave it up may have been killed before
            # It is the one that should be in the dead-letter queue, or one more that was sent for another stage's sake.
            return Reject(refusal.value, requeue=False) if is_redelivered() else None
        case Refusal.BUSY:
            return Reject(refusal.value, requeue=True)


def settle(name: str, photo_id: UUID, attempt: int | Refusal | None, error: Exception, clean_up: CleanUp) -> Reject:
    """Record that an attempt went wrong, and return what brings its message again, or sends it away for good.

    Args:
        name: The stage.
        photo_id: The photo.
        attempt: The attempt's number, if one was begun.
        error: What went wrong.
        clean_up: Removes what it may have left.
    """
    last_error = in_a_line(error)
    for cause in filter(None, (error, error.__cause__)):
        cause.__traceback__ = None  # it holds the picture, and memory may be what is missing
    try:
        if isinstance(attempt, int):
            counts = not is_outage(error)
            if counts and attempt >= MAX_ATTEMPTS:
                return _give_up(name, photo_id, last_error, clean_up)
            with transaction() as session:
                postpone_stage(session, photo_id, name, last_error, counts=counts)
    except Exception as another:  # noqa: BLE001 -- what would leave from here would be buried unrecorded
        logger.error("%s: that could not be recorded: %s", name, in_a_line(another))
    if is_outage(error):  # else this process would hold, within seconds, every message of the queue against the outage
        time.sleep(min(OUTAGE_PAUSE_S, get_settings().retry_backoff))
    return Reject(last_error, requeue=True)


def is_outage(error: Exception) -> bool:
    """Whether the database or AWS is away, or knows us no more, or such: no photo is to be given up for that."""
    is_ours = isinstance(error, (Outage, exc.OperationalError, exc.InterfaceError, exc.TimeoutError))
    return is_ours or is_storage_outage(error)


def _give_up(name: str, photo_id: UUID, last_error: str, clean_up: CleanUp) -> Reject:
    fail(name, photo_id, GAVE_UP, last_error, clean_up)
    logger.error("%s is given up: %s", name, last_error)
    return Reject(last_error, requeue=False)


def is_redelivered() -> bool:
    """Whether the message has come before, so that an attempt may have been made for it."""
    return bool((current_task.request.delivery_info or {}).get("redelivered"))
