"""The upload form, which needs no JavaScript."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from photofleet.catalog.models import Photo
from webapp.uploads.filenames import display_name
from webapp.uploads.refusals import NoFile, UploadRefused
from webapp.uploads.store import store_upload

blueprint = Blueprint("uploads", __name__)


@blueprint.post("/photos")
def upload() -> AnyResponse:
    """Store each file that can be stored; show the gallery, or what was refused and why."""
    files = request.files.getlist("photo")
    if not files:
        raise NoFile
    accepted: list[Photo] = []
    refused: list[dict[str, str]] = []
    status = 200
    for file in files:
        try:
            accepted.append(store_upload(file).photo)
        except UploadRefused as refusal:
            status = refusal.status
            refused.append({"filename": display_name(file.filename), "message": str(refusal)})
    if not refused:
        return redirect(url_for("photos.gallery"), 303)
    page = render_template("uploaded.html", accepted=accepted, refused=refused)
    return Response(page, 200 if accepted else status)
