"""Photos for programs: upload one, look at one, go through all."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort, jsonify, request, url_for

from photofleet.catalog.database import transaction
from photofleet.catalog.photos import get_photo, newest_photos
from webapp import arguments
from webapp.api.representation import page_json, photo_json
from webapp.uploads.refusals import NoFile, TooManyFiles
from webapp.uploads.store import store_upload

blueprint = Blueprint("api_photos", __name__, url_prefix="/api/v1/photos")


@blueprint.post("")
def upload() -> tuple[Response, int]:
    """Store the one file in the multipart field `photo`: 201 with the photo, or 200 if it is there already."""
    files = request.files.getlist("photo")
    if not files:
        raise NoFile
    if len(files) > 1:
        raise TooManyFiles(1)
    stored = store_upload(files[0])
    answer = jsonify(photo_json(stored.photo) | {"duplicate": stored.duplicate})
    answer.headers["Location"] = url_for(".photo", photo_id=stored.photo.id)
    return answer, 200 if stored.duplicate else 201


@blueprint.get("")
def photos() -> dict[str, Any]:
    """The photos, newest first, a page at a time."""
    with transaction() as session:
        page = newest_photos(session, before=arguments.before(), limit=arguments.PAGE_SIZE)
    return page_json(page, ".photos")


@blueprint.get("/<uuid:photo_id>")
def photo(photo_id: UUID) -> dict[str, Any]:
    """One photo."""
    with transaction() as session:
        found = get_photo(session, photo_id)
    return photo_json(found) if found else abort(404, "There is no such photo. It may have been deleted.")
