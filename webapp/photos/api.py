"""Photos for programs: look at one, go through all."""

from typing import Any
from uuid import UUID

from flask import Blueprint

from photofleet.catalog.database import transaction
from photofleet.catalog.photos import newest_photos
from webapp import arguments
from webapp.photos.pages import find_photo
from webapp.photos.representation import page_json, photo_json

blueprint = Blueprint("photos_api", __name__, url_prefix="/api/v1/photos")


@blueprint.get("")
def photos() -> dict[str, Any]:
    """The photos, newest first, a page at a time."""
    with transaction() as session:
        page = newest_photos(session, before=arguments.before(), limit=arguments.PAGE_SIZE)
    return page_json(page, ".photos")


@blueprint.get("/<uuid:photo_id>")
def photo(photo_id: UUID) -> dict[str, Any]:
    """One photo."""
    return photo_json(find_photo(photo_id))
