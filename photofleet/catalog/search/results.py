"""Pages of what a query finds, and why each photo is there.

By date, pages go from the newest photo to the oldest. By relevance, they go through the same photos in blocks: the
newest BLOCK are ordered by how sure the network is of them, then come the BLOCK after these. So the surest of the
recent photos come first, a common word takes no longer than a rare one (nobody sorts a million photos by confidence),
and what is asked for page after page holds still while photos are added.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy.orm import Session

from photofleet.catalog.models import SURE, Photo, ShownLabel
from photofleet.catalog.photos import get_photos
from photofleet.catalog.search.language import Mistake, parse
from photofleet.catalog.search.meaning import Meaning, Thing, Unknown, understand
from photofleet.catalog.search.planning import at_most
from photofleet.catalog.search.query import Match, Point, find_matches, least_sure

BLOCK = 120

MOST_MS = 1500
"""A statement of a search that takes longer is broken off: few would keep the database from everybody else."""

TOO_MANY = "There are too many photos to look through for that. Please add a word or a date, as in from:2026-05."


class Order(StrEnum):
    """In which order photos are shown."""

    RELEVANCE = "relevance"
    DATE = "date"


class CursorError(ValueError):
    """A cursor that no page of a search has given."""


@dataclass(frozen=True)
class Reason:
    """Why a photo was found: the label that was asked for, and the label on the photo that is a kind of it."""

    asked: str
    label: str
    confidence: float


@dataclass(frozen=True)
class Found:
    """A page of the photos that a query found.

    `cursor` is where the next page starts, None on the last; `reasons` say for each photo why it was found; `names`
    are those of the labels that the query was understood as.
    """

    photos: Sequence[Photo]
    reasons: Mapping[UUID, Sequence[Reason]]
    cursor: str | None
    names: Sequence[str]
    unknown: Sequence[Unknown]
    mistakes: Sequence[Mistake]


def search_photos(
    session: Session, text: str, *, owner: str, order: Order = Order.RELEVANCE, cursor: str | None = None, limit: int
) -> Found:
    """Find photos by a query, whose language stands in language.py; if there are mistakes in it, it finds nothing.

    Args:
        session: The transaction.
        text: The query.
        owner: Who asks.
        order: See this module.
        cursor: Where to start, as the page before says.
        limit: The most photos of a page.

    Raises:
        CursorError: the cursor is not one of this order.
        TooSlowError: so many photos would have to be looked through that it takes too long.
    """
    start = None if cursor is None else _decoded(cursor)
    meaning = understand(session, parse(text))
    if meaning.mistakes or meaning.hopeless or not (meaning.things or meaning.filenames or meaning.others):
        return Found((), {}, None, _names(meaning), meaning.unknown, meaning.mistakes)
    page = _by_date if order is Order.DATE else _by_relevance
    with at_most(session, MOST_MS, TOO_MANY):
        matches, following = page(session, meaning, owner, start or _Start(None), limit)
        by_id = {photo.id: photo for photo in get_photos(session, [match.photo_id for match in matches])}
    photos = [by_id[match.photo_id] for match in matches if match.photo_id in by_id]
    reasons = _reasons(photos, meaning)
    next_cursor = None if following is None else _encoded(following)
    return Found(photos, reasons, next_cursor, _names(meaning), meaning.unknown, ())


@dataclass(frozen=True)
class _Start:
    """Where a page starts: a block's newest photo (None: the newest of all), and in the block, after which match."""

    block: Point | None
    after: Match | None = None


def _by_date(
    session: Session, meaning: Meaning, owner: str, start: _Start, limit: int
) -> tuple[Sequence[Match], _Start | None]:
    matches = find_matches(session, meaning, owner=owner, start=start.block, limit=limit + 1)
    return matches[:limit], _Start(_point(matches[limit])) if len(matches) > limit else None


def _by_relevance(
    session: Session, meaning: Meaning, owner: str, start: _Start, limit: int
) -> tuple[Sequence[Match], _Start | None]:
    matches = find_matches(session, meaning, owner=owner, start=start.block, limit=BLOCK + 1)
    block = sorted(matches[:BLOCK], key=_rank, reverse=True)
    left = [match for match in block if start.after is None or _rank(match) < _rank(start.after)]
    if len(left) > limit:
        return left[:limit], _Start(_point(matches[0]), left[limit - 1])
    return left, _Start(_point(matches[BLOCK])) if len(matches) > BLOCK else None


def _rank(match: Match) -> tuple[float, datetime, UUID]:
    return match.sure, match.at, match.photo_id


def _point(match: Match) -> Point:
    return Point(match.at, match.photo_id)


def _names(meaning: Meaning) -> Sequence[str]:
    return list(dict.fromkeys(name for thing in meaning.things if not thing.words.negated for name in thing.names))


def _reasons(photos: Sequence[Photo], meaning: Meaning) -> Mapping[UUID, Sequence[Reason]]:
    """For each photo, the surest label for each thing that was asked for."""
    least = least_sure(meaning)
    asked = [thing for thing in meaning.things if not thing.words.negated]
    return {
        photo.id: [
            Reason(thing.kinds[surest.id], surest.name, surest.confidence)
            for thing in asked
            if (surest := _surest(photo, thing, least))
        ]
        for photo in photos
    }


def _surest(photo: Photo, thing: Thing, least: float) -> ShownLabel | None:
    # What goes without saying is looked at last: with min:90 it may be surer than what says it.
    labels = (label for label in (*photo.shown_labels, *photo.sure_labels) if label.id in thing.kinds)
    return next((label for label in labels if round(label.confidence * SURE) >= round(least * SURE)), None)


def _encoded(start: _Start) -> str:
    parts: list[tuple[str | float, ...]] = []
    if start.block:
        parts.append((start.block.at.isoformat(), start.block.photo_id.hex))
    if start.after:
        parts.append((start.after.at.isoformat(), start.after.photo_id.hex, start.after.sure))
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).rstrip(b"=").decode()


def _decoded(cursor: str) -> _Start:
    """Read a cursor. It is not signed: whoever makes one up only starts elsewhere in what anybody may see."""
    try:
        block, *rest = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        after = Match(_time(rest[0][0]), UUID(rest[0][1]), float(rest[0][2])) if rest else None
        return _Start(Point(_time(block[0]), UUID(block[1])), after)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise CursorError("The address of this page is damaged. Please search again.") from error


def _time(value: str) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)
