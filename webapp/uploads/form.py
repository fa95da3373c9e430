"""The upload form, which needs no JavaScript."""

import logging
from http import HTTPStatus

from flask import Blueprint, Response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from photofleet.catalog.models import Photo
from webapp.problems import DEPENDENCY_ERRORS
from webapp.uploads.filenames import display_name
from webapp.uploads.receive import received_files
from webapp.uploads.refusals import UploadRefused
from webapp.uploads.store import store_upload

logger = logging.getLogger(__name__)

blueprint = Blueprint("uploads", __name__)

NOT_NOW = "It could not be stored right now. Please try again in a minute."


@blueprint.post("/photos")
def upload() -> AnyResponse:
    """Store each file that can be stored; show the gallery, or what was refused and why."""
    accepted: list[Photo] = []
    refused: list[dict[str, str]] = []
    status = 200
    for file in received_files():
        name = display_name(file.filename)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:  # each would wait as long as the first one did
            refused.append({"filename": name, "message": NOT_NOW})
            continue
        try:
            accepted.append(store_upload(file).photo)
        except UploadRefused as refusal:
            status = refusal.status
            refused.append({"filename": name, "message": str(refusal)})
        except DEPENDENCY_ERRORS as error:
            logger.error("an upload could not be stored: %s", error)
            status = HTTPStatus.SERVICE_UNAVAILABLE
            refused.append({"filename": name, "message": NOT_NOW})
    if not refused:
        return redirect(url_for("photos.gallery"), 303)
    page = render_template("uploaded.html", accepted=accepted, refused=refused)
    return Response(page, 200 if accepted else status)
