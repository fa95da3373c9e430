"""What the resize fleet does when a photo was uploaded."""

from collections.abc import Sequence
from contextlib import closing
from uuid import UUID

from sqlalchemy.orm import Session

from photofleet.broker import PHOTO_UPLOADED
from photofleet.catalog.models import RESIZE, Photo
from photofleet.catalog.progress import photos_by_id
from photofleet.catalog.results import StoredRendition, record_renditions, recorded_keys
from photofleet.images.formats import Format
from photofleet.images.renditions import revision
from photofleet.settings import get_settings
from photofleet.storage import delete_renditions, rendition_key
from photofleet.transfers import RenditionUploads
from workers.failures import PhotoTask
from workers.resize.celery import app
from workers.resize.results import Placeholder, Rendition
from workers.resize.sandbox import render
from workers.stage import Record, fetched_original, run_stage


class SupersededError(Exception):
    """Another attempt has recorded its renditions since this one began."""


@app.task(base=PhotoTask, name=PHOTO_UPLOADED)
def photo_uploaded(photo_id: str, request_id: str) -> None:
    """Make the renditions of a photo, store them and record them."""
    run_stage(RESIZE, UUID(photo_id), request_id, make_renditions, clean_up=delete_unrecorded)


def make_renditions(photo: Photo) -> Record:
    """Make what the settings say a photo gets, and store each rendition while the next is made."""
    settings = get_settings()
    specs = settings.rendition_specs
    placeholder, stored = None, []
    with fetched_original(photo) as original, RenditionUploads() as uploads:
        results = render(original, Format.named(photo.format), specs, max_pixels=settings.max_pixels)
        with closing(results):
            for result in results:
                match result:
                    case Placeholder():
                        placeholder = result
                    case Rendition():
                        stored.append(_describe(photo.id, result))
                        uploads.put(stored[-1].key, result.data, result.spec.format.content_type)
    assert placeholder  # noqa: S101 - render() promises one
    return _recorder(photo, stored, placeholder, revision(specs))


def delete_unrecorded(session: Session, photo_id: UUID) -> None:
    """Delete those of a photo's renditions that the catalog does not know."""
    delete_renditions(photo_id, keep=recorded_keys(session, photo_id))


def _describe(photo_id: UUID, rendition: Rendition) -> StoredRendition:
    spec = rendition.spec
    return StoredRendition(
        name=spec.name,
        format=spec.format.value,
        width=rendition.width,
        height=rendition.height,
        size=len(rendition.data),
        key=rendition_key(photo_id, spec.name, spec.revision, spec.format.extension),
        mode=spec.mode.value,
    )


def _recorder(photo: Photo, stored: Sequence[StoredRendition], placeholder: Placeholder, revision: str) -> Record:
    def record(session: Session) -> bool:
        current = photos_by_id(session, [photo.id])[
            photo.id
        ]  # one that was deleted meanwhile, too: they are in the bucket
        if current.renditions_revision != photo.renditions_revision:
            # It has also cleaned up; with other settings, some of ours may be gone.
            raise SupersededError("Another attempt with this photo has ended since this one began.")
        is_refresh = bool(recorded_keys(session, photo.id))
        record_renditions(
            session,
            photo.id,
            stored,
            preview=placeholder.preview,
            colour=placeholder.colour,
            revision=revision,
        )
        return is_refresh

    return record
