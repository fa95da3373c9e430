"""Search for programs."""

from typing import Any

from flask import Blueprint, abort

from photofleet.catalog.database import transaction
from photofleet.catalog.search import search_photos
from webapp import arguments
from webapp.photos.representation import page_json

blueprint = Blueprint("search_api", __name__, url_prefix="/api/v1/search")


@blueprint.get("")
def search() -> dict[str, Any]:
    """The photos that show what `q` names, newest first, and the labels that it was understood as."""
    query = arguments.query()
    if not 0 < len(query) <= arguments.LONGEST_QUERY:
        abort(400, f"`q` must have between 1 and {arguments.LONGEST_QUERY} characters.")
    with transaction() as session:
        found = search_photos(session, query, before=arguments.before(), limit=arguments.PAGE_SIZE)
    return page_json(found.page, ".search", q=query) | {"matched": list(found.matched)}
