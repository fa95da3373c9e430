"""The search page, suggestions while somebody types, and photos that look like another."""

from collections.abc import Sequence
from uuid import UUID

from flask import Blueprint, render_template, request

from photofleet.catalog.database import transaction
from photofleet.catalog.search import Order, TooSlowError, common_labels, suggest
from webapp import arguments
from webapp.photos.pages import find_photo
from webapp.search import results

blueprint = Blueprint("search", __name__)

SUGGESTIONS = 8


@blueprint.get("/search")
def search() -> str | tuple[str, int]:
    """The photos that were asked for; where there are none, what is wrong, and what else could be asked for."""
    query, order = arguments.query(), arguments.order()
    if len(query) > arguments.LONGEST_QUERY:
        error = f"Please search for fewer words: at most {arguments.LONGEST_QUERY} characters."
        return render_template("search.html", query="", error=error), 400
    try:
        found = results.find(query) if query else None
    except TooSlowError as error:
        return render_template("search.html", query=query, error=str(error)), 422
    instead: Sequence[str] = ()
    if not (found and (found.photos or found.mistakes)):
        with transaction() as session:
            instead = common_labels(session, limit=SUGGESTIONS)
    page = render_template(
        "search.html",
        query=query,
        order=order,
        found=found,
        photos=found.photos if found else (),
        reasons=found.reasons if found else {},
        next_url=found and found.cursor and results.address(".search", query, order, found.cursor),
        orders=[(other, results.address(".search", query, other)) for other in Order],
        suggestions=instead,
    )
    return (page, 400) if found and found.mistakes else page


@blueprint.get("/search/suggestions")
def suggestions() -> str:
    """What the last word of a query could become, as options for the search box."""
    typed = request.args.get("q", "").lstrip()[: arguments.LONGEST_QUERY]
    with transaction() as session:
        found = suggest(session, typed, limit=SUGGESTIONS)
    return render_template("suggestions.html", suggestions=found)


@blueprint.get("/photos/<uuid:photo_id>/similar")
def similar(photo_id: UUID) -> str:
    """The photos that look most like one."""
    photo = find_photo(photo_id)
    return render_template("similar.html", photo=photo, photos=results.more_like(photo))
