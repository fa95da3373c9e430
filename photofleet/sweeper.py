"""Announcing again the photos whose work is overdue, so that a lost message delays a photo and never loses it."""

import logging
from datetime import timedelta

from photofleet.announce import announce_photo
from photofleet.catalog.database import transaction
from photofleet.catalog.models import STAGES
from photofleet.catalog.overdue import claim_overdue, note_announced
from photofleet.logs import log_context
from photofleet.operations.queues import get_depth
from photofleet.settings import get_settings

logger = logging.getLogger(__name__)

BATCH = 50
"""So many photos are announced again in an interval at most, by all sweepers together."""


def sweep() -> int:
    """Announce the overdue photos, at most BATCH; any number of processes may do so at once.

    Returns:
        How many were announced.

    Raises:
        AWS_ERRORS: The queues cannot be looked at.
    """
    settings = get_settings()
    backlogged = [stage for stage in STAGES if get_depth(getattr(settings, f"{stage}_queue_url")).waiting]
    announced = 0
    with transaction() as session:
        for photo in claim_overdue(
            session,
            overdue=timedelta(seconds=settings.sweep_overdue),
            backlogged=backlogged,
            limit=BATCH,
            per=timedelta(seconds=settings.sweep_interval),
        ):
            with log_context(photo_id=str(photo.id), request_id=photo.request_id):
                logger.warning("overdue: announcing again")
                if not announce_photo(photo.id, photo.request_id):
                    break
            note_announced(session, photo.id)
            announced += 1
    return announced
