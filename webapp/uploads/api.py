"""Uploading for programs."""

from flask import Blueprint, Response, jsonify, url_for

from webapp.photos.representation import photo_json
from webapp.uploads.receive import received_files
from webapp.uploads.refusals import TooManyFiles
from webapp.uploads.store import store_upload

blueprint = Blueprint("uploads_api", __name__, url_prefix="/api/v1/photos")


@blueprint.post("")
def upload() -> tuple[Response, int]:
    """Store the one file in the multipart field `photo`: 201 with the photo, or 200 if it is there already."""
    files = received_files()
    if len(files) > 1:
        raise TooManyFiles(1)
    stored = store_upload(files[0])
    answer = jsonify(photo_json(stored.photo) | {"duplicate": stored.duplicate})
    answer.headers["Location"] = url_for("photos_api.photo", photo_id=stored.photo.id)
    return answer, 200 if stored.duplicate else 201
