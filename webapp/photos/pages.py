"""The gallery and a photo's own page, and the parts of both that change while workers work."""

from typing import Any
from uuid import UUID

from flask import Blueprint, abort, render_template, url_for

from photofleet.catalog.database import transaction
from photofleet.catalog.judgements import corrections_of
from photofleet.catalog.models import PERSON, REMOVED, Photo
from photofleet.catalog.photos import get_photo, get_photos, newest_photos
from photofleet.catalog.search import TooSlowError
from webapp import arguments
from webapp.search.results import find_similar

blueprint = Blueprint("photos", __name__)

SIMILAR = 6


@blueprint.get("/")
def gallery() -> str:
    """The photos, newest first."""
    with transaction() as session:
        page = newest_photos(session, before=arguments.before(), limit=arguments.PAGE_SIZE)
    next_url = page.next_before and url_for(".gallery", before=page.next_before)
    return render_template("gallery.html", photos=page.photos, next_url=next_url)


@blueprint.get("/photos/cards")
def cards() -> str:
    """The cards of the photos asked for, to replace older ones on a page."""
    with transaction() as session:
        photos = get_photos(session, arguments.photo_ids())
    return render_template("cards.html", photos=photos)


@blueprint.get("/photos/<uuid:photo_id>")
def photo(photo_id: UUID) -> str:
    """A photo's own page."""
    found = look_at(photo_id)
    try:
        similar = find_similar(found["photo"], limit=SIMILAR)
    except TooSlowError:
        similar = ()  # the page is good without them
    return render_template("photo.html", **found, similar=similar)


@blueprint.get("/photos/<uuid:photo_id>/live")
def live(photo_id: UUID) -> str:
    """The part of a photo's page that changes while workers work."""
    return render_template("_photo_live.html", **look_at(photo_id))


def look_at(photo_id: UUID) -> dict[str, Any]:
    """What a photo's page shows: the photo, and what people have said of its labels; or the answer 404."""
    photo = find_photo(photo_id)
    with transaction() as session:
        said = corrections_of(session, photo_id)
    return {
        "photo": photo,
        "verdicts": {label.id: correction.verdict for correction, label in said},
        "models": sorted({label.source for label in photo.shown_labels if not label.source.startswith(PERSON)}),
        "removed": [label for correction, label in said if correction.verdict == REMOVED],
    }


def find_photo(photo_id: UUID) -> Photo:
    """The photo, or the answer 404."""
    with transaction() as session:
        found = get_photo(session, photo_id)
    return found or abort(404, "There is no such photo. It may have been deleted.")
