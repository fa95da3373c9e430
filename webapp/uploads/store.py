"""Storing an upload, so that one answered with success is never lost and one that was not leaves nothing behind."""

import logging
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import FileStorage

from photofleet import storage
from photofleet.announce import announce_photo
from photofleet.catalog.database import transaction
from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.models import Photo
from photofleet.catalog.overdue import note_announced
from photofleet.catalog.photos import NewPhoto, add_photo, find_duplicate, get_present_photo
from photofleet.images.formats import Format
from photofleet.logs import log_context, request_id
from photofleet.settings import get_settings
from webapp.owner import EVERYBODY
from webapp.uploads.filenames import display_name
from webapp.uploads.inspect import inspect
from webapp.uploads.receive import IncomingFile
from webapp.uploads.refusals import FileTooLarge, NoFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """A photo that is stored, and whether its owner had uploaded these very bytes before."""

    photo: Photo
    duplicate: bool


def store_upload(upload: FileStorage) -> Stored:
    """Check a received file, store it and announce it.

    In this order: the original in S3, the row committed, the message sent. If the message cannot be sent, the
    sweeper sends it later.

    Raises:
        UploadRefused: if the file is not one that we take.
        BotoCoreError, ClientError, SQLAlchemyError: if S3 or the database fails; nothing is stored then.
    """
    settings = get_settings()
    incoming = cast("IncomingFile", upload.stream)
    if not upload.filename:
        raise NoFile
    if incoming.too_large:
        raise FileTooLarge(incoming.size, settings.upload_max_bytes)
    found = inspect(incoming.file, max_pixels=settings.max_pixels)
    with transaction() as session:
        if photo := find_duplicate(session, EVERYBODY, incoming.sha256):
            return Stored(photo, duplicate=True)

    photo_id = uuid7()
    with log_context(photo_id=str(photo_id)):
        incoming.file.seek(0)
        _put_original(photo_id, incoming, found.format)
        new = NewPhoto(
            id=photo_id,
            owner=EVERYBODY,
            filename=display_name(upload.filename),
            sha256=incoming.sha256,
            size=incoming.size,
            format=found.format.value,
            width=found.width,
            height=found.height,
            taken_at=found.taken_at,
            request_id=request_id(),
        )
        stored = _add(new)
        if not stored.duplicate:
            logger.info("stored %s, %d bytes, %d × %d", new.format, new.size, new.width, new.height)
            _announce(photo_id)
        return stored


def _put_original(photo_id: UUID, incoming: IncomingFile, format: Format) -> None:
    try:
        storage.put_original(photo_id, incoming.file, format.content_type, incoming.sha256)
    except storage.STORAGE_ERRORS:
        _remove_original(photo_id)  # it may be there all the same: perhaps only the answer was lost
        raise


def _add(new: NewPhoto) -> Stored:
    try:
        with transaction() as session:
            if photo := add_photo(session, new):
                return Stored(photo, duplicate=False)
    except SQLAlchemyError:
        _remove_original_without_photo(new.id)
        raise
    # The same bytes arrived at the same time in another request, which was faster.
    _remove_original(new.id)
    with transaction() as session:
        photo = find_duplicate(session, new.owner, new.sha256)
    if photo is None:
        raise RuntimeError("a photo is a duplicate of one that is not there")
    return Stored(photo, duplicate=True)


def _announce(photo_id: UUID) -> None:
    if announce_photo(photo_id, request_id()):
        try:
            with transaction() as session:
                note_announced(session, photo_id)
        except SQLAlchemyError as error:  # it will be announced twice, which does no harm
            logger.warning("could not note that a photo was announced: %s", error)


def _remove_original_without_photo(photo_id: UUID) -> None:
    """Remove the original of a photo that could not be committed, if that is certain: the connection may have been
    lost after the commit. An original that nobody knows of does less harm than a photo without one."""
    try:
        with transaction() as session:
            committed = get_present_photo(session, photo_id)
    except SQLAlchemyError:
        logger.error("it is not known whether a photo was committed; its original stays")
        return
    if committed is None:
        _remove_original(photo_id)


def _remove_original(photo_id: UUID) -> None:
    try:
        storage.delete_original(photo_id)
    except storage.STORAGE_ERRORS as error:
        logger.error("an original without a photo stays behind in the bucket: %s", error)
