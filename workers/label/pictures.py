"""Which picture of a photo is labelled: a rendition where there is one that will do, which is never waited for."""

import logging
import os
from collections.abc import Sequence
from io import BytesIO
from threading import BoundedSemaphore

from botocore.exceptions import ClientError

from photofleet.catalog.database import transaction
from photofleet.catalog.models import Photo, Rendition
from photofleet.catalog.results import recorded_renditions
from photofleet.images.formats import Format
from photofleet.images.renditions import Mode
from photofleet.settings import get_settings
from photofleet.storage import get_rendition
from workers.image import BadImage
from workers.label.engine import Batch
from workers.label.preprocessing import Preprocessing
from workers.label.squares import least_short_side, read_squares, read_squares_of_stranger
from workers.stage import fetched_original

logger = logging.getLogger(__name__)

_originals = BoundedSemaphore(os.cpu_count() or 1)
"""As many originals are decoded at once as there are processors: each takes a process and its memory."""


def picture_of(photo: Photo, preprocessing: Preprocessing) -> Batch:
    """Return what a network is to see of a photo, of shape (n, size, size, 3).

    Raises:
        BadImage: The original is at fault, and there is no rendition of it.
        DamagedTransferError, STORAGE_ERRORS: It cannot be had.
    """
    with transaction() as session:
        rendition = _that_will_do(recorded_renditions(session, photo.id), least_short_side(preprocessing))
    if rendition:
        try:
            content = BytesIO(get_rendition(rendition.key))
            # It is a file of ours, made from the picture in the sandbox.
            return read_squares(content, Format.JPEG, preprocessing, max_pixels=rendition.width * rendition.height)
        except (ClientError, BadImage) as error:  # a refresh has replaced it since, say
            logger.info("label: takes the original, as %s cannot be had: %s", rendition.key, error)
    settings = get_settings()
    with fetched_original(photo) as original, _originals:
        return read_squares_of_stranger(
            original, Format.named(photo.format), preprocessing, max_pixels=settings.max_pixels
        )


def _that_will_do(renditions: Sequence[Rendition], short_side: int) -> Rendition | None:
    """The smallest that shows the whole picture as a JPEG, with pixels enough."""
    return next(
        (
            rendition
            for rendition in renditions
            if rendition.mode == Mode.FIT
            and rendition.format == Format.JPEG
            and min(rendition.width, rendition.height) >= short_side
        ),
        None,
    )
