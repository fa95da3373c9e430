"""One stage of the work on one photo: what every fleet does around its own work.

A stage that has ended is left alone, so that a message may come twice. What becomes of one that fails is said in
workers/failures.py.
"""

import logging
import tempfile
from collections.abc import Callable
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
from photofleet.storage import get_original
from workers.failures import clean_up_failed, fail, in_a_line, is_outage, refuse, settle
from workers.image import BadImage

logger = logging.getLogger(__name__)

Record = Callable[[Session], None]
"""Stores the results of a stage, in the transaction that also notes that the stage is done."""

IN_MEMORY_BYTES = 8 * 2**20
"""Originals up to this size are worked on in memory, larger ones from a temporary file."""


def _nothing(_: UUID) -> None:
    pass


def run_stage(
    name: str,
    photo_id: UUID,
    request_id: str,
    work: Callable[[Photo, IO[bytes]], Record],
    clean_up: Callable[[UUID], None] = _nothing,
) -> None:
    """Do one stage of a photo's work, unless it has been done, and record how it ended.

    Args:
        name: The stage.
        photo_id: The photo.
        request_id: The id of the web request that uploaded it, for the log.
        work: Takes the photo and its original file, and returns what stores the results.
        clean_up: Removes what an attempt may have left outside of the catalog, when the stage fails for good.

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
                if bad := _work(name, photo_id, work, clean_up):
                    fail(name, photo_id, str(bad), repr(bad.__cause__ or bad), clean_up)
                return
        except Exception as error:
            # An outage is foreseen; where in our code it was noticed would tell nobody anything.
            logger.error("%s went wrong: %s", name, in_a_line(error), exc_info=None if is_outage(error) else error)
            rejection = settle(name, photo_id, attempt, error, clean_up)
        raise rejection


def _start(name: str, photo_id: UUID) -> int | Refusal:
    with transaction() as session:
        # The message of an attempt that died appears again after this time. One that comes sooner is a second copy.
        alive = timedelta(seconds=get_settings().visibility_timeout)
        return start_stage(session, photo_id, name, alive=alive)


def _work(
    name: str, photo_id: UUID, work: Callable[[Photo, IO[bytes]], Record], clean_up: Callable[[UUID], None]
) -> BadImage | None:
    """Do the work and record it; where the photo itself makes that impossible, return why."""
    with transaction() as session:
        photo = get_present_photo(session, photo_id)
    if photo is None:  # deleted since the stage was started
        return None
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as original:
        get_original(photo_id, original, photo.sha256)
        try:
            record = work(photo, original)
        except BadImage as bad:
            logger.warning("%s: the image is bad: %s (%r)", name, bad, bad.__cause__)
            return bad
    with transaction() as session:
        if finish_stage(session, photo_id, name):
            record(session)
            logger.info("%s: done", name)
            return None
    logger.info("%s: another attempt was faster", name)
    clean_up_failed(name, photo_id, clean_up)  # whoever gave it up did so before this one stored its results
    return None
