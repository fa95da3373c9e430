"""A search as an address asks for it, and photos like another, for pages and programs alike."""

from collections.abc import Sequence

from flask import abort, url_for

from photofleet.catalog.database import transaction
from photofleet.catalog.models import Photo
from photofleet.catalog.search import CursorError, Found, Order, TooSlowError, search_photos, similar_photos
from webapp import arguments
from webapp.owner import EVERYBODY

SIMILAR = 24


def find(query: str) -> Found:
    """The page of results that the address asks for; a damaged address is answered as such.

    Raises:
        TooSlowError: so many photos would have to be looked through that it takes too long.
    """
    try:
        with transaction() as session:
            return search_photos(
                session,
                query,
                owner=EVERYBODY,
                order=arguments.order(),
                cursor=arguments.cursor(),
                limit=arguments.PAGE_SIZE,
            )
    except CursorError as error:
        abort(400, str(error))


def address(endpoint: str, query: str, order: Order, cursor: str | None = None) -> str:
    """Where a search is found again; what goes without saying is left out."""
    return url_for(endpoint, q=query, sort=None if order is Order.RELEVANCE else order, before=cursor)


def find_similar(photo: Photo, limit: int) -> Sequence[Photo]:
    """The photos that look most like one, the most alike first.

    Raises:
        TooSlowError: they were not found in time.
    """
    with transaction() as session:
        return similar_photos(session, photo, limit=limit)


def more_like(photo: Photo) -> Sequence[Photo]:
    """The same where they are all that was asked for, or the answer 503."""
    try:
        return find_similar(photo, SIMILAR)
    except TooSlowError as error:
        abort(503, str(error))
