"""What the resize fleet does when a photo was uploaded."""

from functools import partial
from typing import IO
from uuid import UUID

from photofleet.broker import PHOTO_UPLOADED
from photofleet.catalog.models import RESIZE, Photo
from photofleet.catalog.results import StoredRendition, record_renditions
from photofleet.images.formats import Format
from photofleet.settings import get_settings
from photofleet.storage import delete_renditions, put_rendition, rendition_key
from workers.failures import PhotoTask
from workers.image import decode
from workers.resize.celery import app
from workers.resize.renditions import WIDTHS, Rendition, render
from workers.stage import Record, run_stage


@app.task(base=PhotoTask, name=PHOTO_UPLOADED)
def photo_uploaded(photo_id: str, request_id: str) -> None:
    """Make the renditions of a photo, store them and record them."""
    run_stage(RESIZE, UUID(photo_id), request_id, make_renditions, clean_up=delete_renditions)


def make_renditions(photo: Photo, original: IO[bytes]) -> Record:
    """Render a photo's original in every width, each stored as soon as it is made."""
    image = decode(
        original, Format.named(photo.format), at_least=(max(WIDTHS), 1), max_pixels=get_settings().max_pixels
    )
    stored = [_store(photo.id, rendition) for rendition in render(image)]
    return partial(record_renditions, photo_id=photo.id, renditions=stored)


def _store(photo_id: UUID, rendition: Rendition) -> StoredRendition:
    key = rendition_key(photo_id, rendition.name, rendition.format.extension)
    put_rendition(key, rendition.data, rendition.format.content_type)
    return StoredRendition(
        name=rendition.name,
        format=rendition.format.value,
        width=rendition.width,
        height=rendition.height,
        size=len(rendition.data),
        key=key,
    )
