"""What becomes of a task that fails: the one policy for every fleet.

    ===========  =================================  ========================  ========================================
    kind         sign                               its stage                 its message
    ===========  =================================  ========================  ========================================
    permanent    the work raises `BadImage`         failed, with a sentence   deleted
    transient    it raises anything else, or is     waiting for another       comes again after a time that doubles;
                 told to stop at the soft time      attempt; after the last   after the last attempt it goes to the
                 limit                              one failed: given up      dead-letter queue
    out of       an allocation beyond the limit     as transient              as transient
    memory       of workers/limits.py
    hung         killed at the hard time limit      running until the next    comes again after such a time; the
    poison       its process dies                   attempt; after the last   attempt after the last goes to the
                                                    one failed: given up      dead-letter queue without being made
    foreign      no photo's id, no such task        none                      goes to the dead-letter queue
    ===========  =================================  ========================  ========================================

A message that no worker gets even so far with, as it takes the whole worker down or the database is away for long, is
moved to the dead-letter queue by SQS itself, after the maxReceiveCount of cloudformation/messaging.yaml; the sweeper
announces its photo anew. A message that a stopping worker hands back comes again at once.
"""

import logging
from collections.abc import Callable
from typing import Any, NoReturn
from uuid import UUID

from celery import Task
from celery.exceptions import Reject
from celery.worker.request import Request
from sqlalchemy.exc import SQLAlchemyError

from photofleet.catalog.database import transaction
from photofleet.catalog.stages import GAVE_UP, MAX_ATTEMPTS, Refusal, fail_stage, postpone_stage
from photofleet.logs import log_context
from photofleet.storage import STORAGE_ERRORS

logger = logging.getLogger(__name__)

POISONOUS = "Its process died or hung in every attempt."

OUTAGES = (SQLAlchemyError, *STORAGE_ERRORS)
"""What it looks like when the database or AWS is away."""


class PhotoRequest(Request):  # type: ignore[misc]  # Celery has no types
    """A message in the worker's main process, which logs with the photo's id that a process died or was killed."""

    def on_failure(self, *args: Any, **kwargs: Any) -> Any:
        """Settle a task that raised, or whose process died."""
        with log_context(**self._ids()):
            return super().on_failure(*args, **kwargs)

    def on_timeout(self, *args: Any, **kwargs: Any) -> Any:
        """Settle a task that has run into a time limit."""
        with log_context(**self._ids()):
            return super().on_timeout(*args, **kwargs)

    def _ids(self) -> dict[str, str]:
        return {name: str(self.kwargs[name]) for name in ("request_id", "photo_id") if name in self.kwargs}


class PhotoTask(Task):  # type: ignore[misc]  # Celery has no types
    """A task about a photo."""

    abstract = True
    Request = f"{__name__}:PhotoRequest"

    def retry(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: it would send the message to the topic, and every fleet would do its work again."""
        raise TypeError("A task about a photo is not retried: raise any other exception, and its message comes again.")


def in_a_line(error: Exception) -> str:
    """What went wrong, without the statements and hints that a database adds."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def fail(name: str, photo_id: UUID, sentence: str, last_error: str, clean_up: Callable[[UUID], None]) -> None:
    """Record that a stage has failed for good, after its unrecorded results were cleaned up."""
    clean_up(photo_id)
    with transaction() as session:
        fail_stage(session, photo_id, name, sentence, last_error)


def refuse(refusal: Refusal, name: str, photo_id: UUID, clean_up: Callable[[UUID], None]) -> Reject | None:
    """Return what becomes of a message whose stage is not to be tried now; None if there is nothing to do."""
    match refusal:
        case Refusal.NOTHING_OWED:
            return None
        case Refusal.EXHAUSTED:
            return _give_up(name, photo_id, POISONOUS, clean_up)
        case Refusal.GIVEN_UP:  # and it may not have got into the dead-letter queue then
            return Reject(refusal.value, requeue=False)
        case Refusal.BUSY:
            return Reject(refusal.value, requeue=True)


def settle(
    name: str, photo_id: UUID, attempt: int | Refusal, error: Exception, clean_up: Callable[[UUID], None]
) -> Reject:
    """Record that an attempt went wrong, and return what brings its message again, or sends it away for good."""
    last_error = in_a_line(error)
    try:
        if isinstance(attempt, int):
            if attempt >= MAX_ATTEMPTS:
                return _give_up(name, photo_id, last_error, clean_up)
            with transaction() as session:
                postpone_stage(session, photo_id, name, last_error)
    except OUTAGES as outage:
        logger.error("%s: that could not be recorded: %s", name, in_a_line(outage))
    return Reject(last_error, requeue=True)


def _give_up(name: str, photo_id: UUID, last_error: str, clean_up: Callable[[UUID], None]) -> Reject:
    fail(name, photo_id, GAVE_UP, last_error, clean_up)
    logger.error("%s is given up: %s", name, last_error)
    return Reject(last_error, requeue=False)
