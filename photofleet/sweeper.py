"""Announcing again the photos whose work is overdue, so that a lost message delays a photo and never loses it."""

import logging
import threading
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from photofleet.announce import announce_photo
from photofleet.catalog.database import transaction
from photofleet.catalog.stages import claim_overdue, give_up_exhausted, note_announced
from photofleet.logs import log_context
from photofleet.settings import get_settings

logger = logging.getLogger(__name__)

BATCH = 50


def sweep() -> int:
    """Announce the overdue photos, at most BATCH; any number of processes may do so at once.

    Returns:
        How many were announced.
    """
    overdue = timedelta(seconds=get_settings().sweep_overdue)
    announced = 0
    with transaction() as session:
        for stage in give_up_exhausted(session, overdue=overdue):
            with log_context(photo_id=str(stage.photo_id)):
                logger.error("%s failed for good: its attempts are used up", stage.name)
        for photo in claim_overdue(session, overdue=overdue, limit=BATCH):
            with log_context(photo_id=str(photo.id), request_id=photo.request_id):
                logger.warning("overdue: announcing again")
                if not announce_photo(photo.id, photo.request_id):
                    break
            note_announced(session, photo.id)
            announced += 1
    return announced


def sweep_forever(stop: threading.Event) -> None:
    """Sweep at the interval of the settings until told to stop; a database out of reach is tried again."""
    while not stop.is_set():
        try:
            sweep()
        except SQLAlchemyError as error:
            logger.error("the database does not answer: %s", error)
        stop.wait(get_settings().sweep_interval)
