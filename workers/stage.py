"""One stage of the work on one photo: what every fleet does around its own work.

A stage that has ended is left alone, so that a message may come twice. What becomes of one that fails is said in
workers/failures.py.
"""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import IO
from uuid import UUID

from sqlalchemy.orm import Session

from photofleet.catalog.database import transaction
from photofleet.catalog.models import Photo
from photofleet.catalog.photos import get_present_photo
from photofleet.catalog.stages import Refusal, finish_stage, start_stage
from photofleet.logs import log_context
from photofleet.settings import get_settings
from photofleet.transfers import get_original
from workers.failures import CleanUp, clean_up_ended, fail, in_a_line, is_outage, is_redelivered, refuse, settle
from workers.image import BadImage

logger = logging.getLogger(__name__)

Record = Callable[[Session], bool | None]
"""Stores the results of a stage, in the transaction that also notes that the stage is done.

Returns whether they have replaced others, which are to be cleaned up.
"""

Work = Callable[[Photo], Record]
"""Does a stage's own work on a photo, and returns what stores the results."""


def _nothing(*_: object) -> None:
    pass


def run_stage(
    name: str,
    photo_id: UUID,
    request_id: str,
    work: Work,
    clean_up: CleanUp = _nothing,
) -> None:
    """Do one stage of a photo's work, unless it has been done, and record how it ended.

    Args:
        name: The stage.
        photo_id: The photo.
        request_id: The id of the web request that uploaded it, for the log.
        work: The stage's own work.
        clean_up: Removes what attempts have left, once the stage has ended.

    Raises:
        Reject: when the message is to come again, or to end in the dead-letter queue.
    """
    with log_context(request_id=request_id, photo_id=str(photo_id)):
        attempt: int | Refusal | None = None
        try:
            attempt = _start(name, photo_id)
            if isinstance(attempt, Refusal):
                logger.info("%s: %s", name, attempt.value)
                rejection = refuse(attempt, name, photo_id, clean_up)
                if rejection is None:
                    return
            else:
                logger.info("%s: attempt %d", name, attempt)
                if bad := _work(name, photo_id, attempt, work, clean_up):
                    fail(name, photo_id, str(bad), repr(bad.__cause__ or bad), clean_up)
                return
        except Exception as error:
            # An outage is foreseen; where in our code it was noticed would tell nobody anything.
            logger.error("%s went wrong: %s", name, in_a_line(error), exc_info=None if is_outage(error) else error)
            rejection = settle(name, photo_id, attempt, error, clean_up)
        raise rejection


@contextmanager
def fetched_original(photo: Photo) -> Iterator[IO[bytes]]:
    """Fetch a photo's uploaded file, and give it, a real file, for the length of a with block.

    Raises:
        DamagedTransferError: What arrived is not what was uploaded.
        STORAGE_ERRORS: What S3 answers instead.
    """
    with tempfile.TemporaryFile() as original:
        get_original(photo.id, original, size=photo.size, sha256=photo.sha256)
        yield original


def _start(name: str, photo_id: UUID) -> int | Refusal:
    with transaction() as session:
        # The message of an attempt that died appears again after this time. One that comes sooner is a second copy.
        alive = timedelta(seconds=get_settings().visibility_timeout)
        return start_stage(session, photo_id, name, alive=alive)


def _work(name: str, photo_id: UUID, attempt: int, work: Work, clean_up: CleanUp) -> BadImage | None:
    """Do the work and record it; where the photo itself makes that impossible, return why."""
    with transaction() as session:
        photo = get_present_photo(session, photo_id)
    if photo is None:  # deleted since the stage was started
        return None
    try:
        record = work(photo)
    except BadImage as bad:
        logger.warning("%s: the image is bad: %s (%r)", name, bad, bad.__cause__)
        return bad
    with transaction() as session:
        is_first = finish_stage(session, photo_id, name)
        has_replaced = record(session) if is_first else None
    logger.info("%s: %s", name, "done" if is_first else "another attempt was faster")
    # Most stages end with their first attempt, which has left nothing but what it has recorded. That an attempt is the
    # first by its number is not enough: those that an outage ended do not count.
    if not is_first or has_replaced or attempt > 1 or is_redelivered():
        clean_up_ended(name, photo_id, clean_up)
    return None
