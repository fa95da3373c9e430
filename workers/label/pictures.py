"""Which picture of a photo is labelled: a rendition where there is one that will do, which is never waited for."""

import logging
import os
import tempfile
from collections.abc import Sequence
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
from workers.label.squares import read_squares_of_stranger
from workers.stage import fetched_original

logger = logging.getLogger(__name__)

SHARP = 2
"""How many times as many pixels a side as the network looks at a rendition must have, as it has been made smaller and a
JPEG. From w640, a network of 224 px guessed 0.88 of photos as from the original, from w1280 0.95."""

_files = BoundedSemaphore(os.cpu_count() or 1)
"""As many files are decoded at once as there are processors: each takes a process and its memory."""


def picture_of(photo: Photo, preprocessing: Preprocessing) -> Batch:
    """Return what a network is to see of a photo, of shape (n, size, size, 3).

    Raises:
        BadImage: The original is at fault, and there is no rendition of it.
        DamagedTransferError, STORAGE_ERRORS: It cannot be had.
    """
    with transaction() as session:
        rendition = _that_will_do(recorded_renditions(session, photo.id), preprocessing.short_side)
    if rendition:
        try:
            content = get_rendition(rendition.key)
            # Made in the sandbox: whoever had taken that over could have made anything.
            with tempfile.TemporaryFile() as file, _files:
                file.write(content)
                file.flush()
                return read_squares_of_stranger(
                    file, Format.JPEG, preprocessing, max_pixels=rendition.width * rendition.height
                )
        except (ClientError, BadImage) as error:  # a refresh has replaced it since, say
            logger.info("label: takes the original, as %s cannot be had: %s", rendition.key, error)
    settings = get_settings()
    with fetched_original(photo) as original, _files:
        return read_squares_of_stranger(
            original, Format.named(photo.format), preprocessing, max_pixels=settings.max_pixels
        )


def _that_will_do(renditions: Sequence[Rendition], short_side: int) -> Rendition | None:
    """The smallest that shows the whole picture as a JPEG, and is sharp enough."""
    return next(
        (
            rendition
            for rendition in renditions
            if rendition.mode == Mode.FIT
            and rendition.format == Format.JPEG
            and min(rendition.width, rendition.height) >= SHARP * short_side
        ),
        None,
    )
