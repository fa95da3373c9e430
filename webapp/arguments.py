"""What may stand in an address behind the question mark, checked."""

from uuid import UUID

from flask import abort, request

from photofleet.catalog.search import Order

PAGE_SIZE = 60
MOST_IDS = 50
LONGEST_QUERY = 200


def query() -> str:
    """What is searched for. It is for the caller to say that it is longer than LONGEST_QUERY, in its own way."""
    return request.args.get("q", "").strip()


def order() -> Order:
    """In which order photos are wanted."""
    value = request.args.get("sort", Order.RELEVANCE)
    try:
        return Order(value)
    except ValueError:
        abort(400, f"`sort` must be one of {', '.join(Order)}.")


def cursor() -> str | None:
    """Where a page of search results starts, as the page before has said; None for the first page."""
    return request.args.get("before")


def before() -> UUID | None:
    """The photo before which a page starts; None for the first page."""
    value = request.args.get("before")
    return None if value is None else _uuid("before", value)


def photo_ids() -> list[UUID]:
    """The photos that are asked for by `id`, at most MOST_IDS."""
    values = request.args.getlist("id")
    if len(values) > MOST_IDS:
        abort(400, f"At most {MOST_IDS} photos can be asked for at once, not {len(values)}.")
    return [_uuid("id", value) for value in values]


def _uuid(name: str, value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        abort(400, f"`{name}` must be the id of a photo, which looks like 019aa4d2-7e31-7c55-a9ce-0242ac120002.")
