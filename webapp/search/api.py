"""Search for programs."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort

from photofleet.catalog.search import Found, Place, TooSlowError
from webapp import arguments
from webapp.photos.pages import find_photo
from webapp.photos.representation import photo_json
from webapp.problems import problem
from webapp.search import results

blueprint = Blueprint("search_api", __name__, url_prefix="/api/v1")


@blueprint.errorhandler(TooSlowError)
def _too_slow(error: TooSlowError) -> Response:
    return problem(422, str(error), slug="search-too-slow")


@blueprint.get("/search")
def search() -> dict[str, Any] | Response:
    """The photos that `q` finds, each with why it was found, and the labels that `q` was understood as."""
    query = arguments.query()
    if not 0 < len(query) <= arguments.LONGEST_QUERY:
        abort(400, f"`q` must have between 1 and {arguments.LONGEST_QUERY} characters.")
    found = results.find(query)
    if found.mistakes:
        errors = [{"detail": mistake.message, **_place(mistake.place)} for mistake in found.mistakes]
        detail = " ".join(mistake.message for mistake in found.mistakes)
        return problem(400, detail, slug="search-not-understood", errors=errors)
    return {
        "photos": [photo_json(photo) | {"matched": _reasons(found, photo.id)} for photo in found.photos],
        "next": found.cursor and results.address(".search", query, arguments.order(), found.cursor),
        "matched": list(found.names),
        "unknown": [
            {"word": unknown.text, **_place(unknown.place), "alternatives": list(unknown.alternatives)}
            for unknown in found.unknown
        ],
    }


@blueprint.get("/photos/<uuid:photo_id>/similar")
def similar(photo_id: UUID) -> dict[str, Any]:
    """The photos that look most like one, the most alike first; none if it has not been labelled yet."""
    return {"photos": [photo_json(photo) for photo in results.more_like(find_photo(photo_id))]}


def _reasons(found: Found, photo_id: UUID) -> list[dict[str, Any]]:
    return [
        {"asked": reason.asked, "label": reason.label, "confidence": round(reason.confidence, 4)}
        for reason in found.reasons.get(photo_id, ())
    ]


def _place(place: Place) -> dict[str, int]:
    """Where something stands in `q`: from its first character, counted from 0, to before `end`."""
    return {"start": place.start, "end": place.end}
