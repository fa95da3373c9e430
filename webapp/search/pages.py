"""The search page, and suggestions while somebody types."""

from typing import Any

from flask import Blueprint, render_template, url_for

from photofleet.catalog.database import transaction
from photofleet.catalog.search import common_labels, search_photos, suggest_labels
from webapp import arguments

blueprint = Blueprint("search", __name__)

SUGGESTIONS = 8


@blueprint.get("/search")
def search() -> str | tuple[str, int]:
    """The photos that show what was asked for; where there are none, what else could be asked for."""
    query = arguments.query()
    context: dict[str, Any] = {
        "query": query,
        "photos": (),
        "next_url": None,
        "matched": (),
        "suggestions": (),
        "error": None,
    }
    if len(query) > arguments.LONGEST_QUERY:
        context |= {
            "query": "",
            "error": f"Please search for fewer words: at most {arguments.LONGEST_QUERY} characters.",
        }
        return render_template("search.html", **context), 400
    with transaction() as session:
        if query:
            found = search_photos(session, query, before=arguments.before(), limit=arguments.PAGE_SIZE)
            more = found.page.next_before
            context |= {"photos": found.page.photos, "matched": found.matched}
            context |= {"next_url": more and url_for(".search", q=query, before=more)}
        if not context["photos"]:
            context |= {"suggestions": [label.name for label in common_labels(session, limit=SUGGESTIONS)]}
    return render_template("search.html", **context)


@blueprint.get("/search/suggestions")
def suggestions() -> str:
    """Labels that start like what has been typed, as options for the search box."""
    start = arguments.query()[: arguments.LONGEST_QUERY]
    with transaction() as session:
        found = suggest_labels(session, start, limit=SUGGESTIONS)
    return render_template("suggestions.html", suggestions=found)
