"""The photos that a query finds, newest first, in about the same time for common words as for rare ones.

Where a query applies to many photos, it does to some of the newest, which are looked through in order of time. Where it
applies to few, an index knows them. How many photos show each thing, PostgreSQL estimates well; how things go together,
nobody can say beforehand. So where none of them is rare and yet the first WINDOW photos do not fill the page, the index
is asked, too.

Both go by `Searchable`, which says what each photo shows, and how surely. Photos are looked at for what that does not
know, one after the other, in order of time, until the page is full.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Subquery,
    and_,
    cast,
    func,
    literal,
    not_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session

from photofleet.catalog.models import SURE, Photo, Searchable
from photofleet.catalog.photos import visible_photos
from photofleet.catalog.search.language import Before, Mine, Orientation, Since, Sure, Type, Words
from photofleet.catalog.search.meaning import Meaning, Thing
from photofleet.catalog.search.planning import estimated_rows, set_locally
from photofleet.catalog.search.traits import FORMATS, SHAPES

WINDOW = 30_000
INDEXED = 10_000
"""From the index, so many photos take about as long as a page that is found after a third of the window."""

_ORDER = (Searchable.at.desc(), Searchable.photo_id.desc())

_SETTINGS = {
    # A plan made for other words would be a bad one.
    "plan_cache_mode": "force_custom_plan",
    # Words that go together seem rarer than they are; the table is never read as a whole for that.
    "enable_seqscan": "off",
}


@dataclass(frozen=True)
class Match:
    """A photo that was found; `sure`: how sure the least sure of the things is, from 0 to 1."""

    at: datetime
    photo_id: UUID
    sure: float


@dataclass(frozen=True)
class Point:
    """A place in the order of time."""

    at: datetime
    photo_id: UUID


def find_matches(session: Session, meaning: Meaning, *, owner: str, start: Point | None, limit: int) -> Sequence[Match]:
    """The newest photos to which a query applies, from a point on, newest first."""
    set_locally(session, _SETTINGS)

    def ask(candidates: Subquery | CTE, filenames: Collection[Words] = meaning.filenames) -> Sequence[Match]:
        rows = session.execute(_matching(candidates, filenames, meaning, owner, limit))
        return [Match(at, photo_id, sure / SURE) for at, photo_id, sure in rows]

    wanted = [*_showing(meaning), *_called(meaning, owner)]
    if not wanted:
        return ask(_in_order(meaning, select(Searchable).where(*_within(meaning, start)).subquery("rows")))
    if all(estimated_rows(session, some) > INDEXED for some in wanted):
        ahead = select(Searchable).where(*_within(meaning, start)).order_by(*_ORDER)
        found = ask(_in_order(meaning, ahead.limit(WINDOW).subquery("rows")))
        beyond = ahead.with_only_columns(Searchable.photo_id).offset(WINDOW).limit(1)
        if len(found) == limit or session.scalar(beyond) is None:
            return found
    return ask(_by_index(meaning, owner, start), [words for words in meaning.filenames if words.negated])


def least_sure(meaning: Meaning) -> float:
    """The confidence that the query asks for, over that from which labels are shown."""
    return max((clause.confidence for clause in meaning.others if isinstance(clause, Sure)), default=0.0)


def _showing(meaning: Meaning) -> Iterator[Select[UUID]]:
    """For each thing and trait that is asked for, the photos that show it."""
    for numbers in _wanted(meaning):
        yield select(Searchable.photo_id).where(_any_of(numbers, Searchable.__table__))


def _called(meaning: Meaning, owner: str) -> Iterator[Select[UUID]]:
    """For each part of a filename that is asked for, the photos with it."""
    for words in meaning.filenames:
        if not words.negated:
            yield select(Photo.id).where(_named(words, owner))


def _in_order(meaning: Meaning, rows: FromClause) -> Subquery:
    """Candidates among some rows, found without the help of an index of labels."""
    candidates = select(rows.c.at, rows.c.photo_id, _sureness(meaning, rows).label("sure")).where(
        *_kinds(meaning, rows)
    )
    return candidates.order_by(rows.c.at.desc(), rows.c.photo_id.desc()).subquery("candidates")


def _by_index(meaning: Meaning, owner: str, start: Point | None) -> CTE:
    """All candidates, by the indexes of labels and of filenames."""
    rows = Searchable.__table__
    candidates = select(Searchable.at, Searchable.photo_id, _sureness(meaning, rows).label("sure")).where(
        *_within(meaning, start),
        *_kinds(meaning, rows),
        *(Searchable.photo_id.in_(called) for called in _called(meaning, owner)),
    )
    return candidates.order_by(*_ORDER).cte("candidates").prefix_with("MATERIALIZED")


def _within(meaning: Meaning, start: Point | None) -> list[ColumnElement[bool]]:
    """The part of all photos that a query's dates allow, from a point on."""
    conditions: list[ColumnElement[bool]] = []
    for clause in meaning.others:
        if isinstance(clause, Since):
            conditions.append(Searchable.at >= clause.at)
        if isinstance(clause, Before):
            conditions.append(Searchable.at < clause.at)
    if start is not None:
        point = tuple_(literal(start.at), literal(start.photo_id))
        conditions.append(tuple_(Searchable.at, Searchable.photo_id) <= point)
    return conditions


def _kinds(meaning: Meaning, rows: FromClause) -> Iterator[ColumnElement[bool]]:
    """That a photo shows, surely enough, what it is to show, which an index knows, and nothing that it is not to."""
    for numbers in _wanted(meaning):
        yield _any_of(numbers, rows)
    for numbers in _unwanted(meaning):
        yield not_(_any_of(numbers, rows))
    if least := least_sure(meaning):
        yield _sureness(meaning, rows) >= round(least * SURE)


def _any_of(numbers: Collection[int], rows: FromClause) -> ColumnElement[bool]:
    return rows.c.kinds.bool_op("&&")(cast(sorted(numbers), ARRAY(Integer)))


def _sureness(meaning: Meaning, rows: FromClause) -> ColumnElement[int]:
    """How sure it is that a photo shows the least sure of the things, in SURE-ths; entirely, if there are none."""
    surest = [
        func.greatest(*(rows.c.sure[func.array_position(rows.c.kinds, number)] for number in sorted(thing.numbers)))
        for thing in _asked(meaning)
    ]
    return func.least(SURE, *surest)


def _asked(meaning: Meaning) -> Iterator[Thing]:
    return (thing for thing in meaning.things if not thing.words.negated)


def _wanted(meaning: Meaning) -> list[Collection[int]]:
    """For each thing that is asked for, the numbers of which a photo has to have one; rather rare ones first."""
    rare_first = sorted(_asked(meaning), key=lambda thing: len(thing.kinds))
    return [*(thing.numbers for thing in rare_first), *(_traits(meaning, negated=False))]


def _unwanted(meaning: Meaning) -> list[Collection[int]]:
    """The numbers of which a photo must have none."""
    return [*(thing.numbers for thing in meaning.things if thing.words.negated), *(_traits(meaning, negated=True))]


def _traits(meaning: Meaning, *, negated: bool) -> Iterator[Collection[int]]:
    for clause in meaning.others:
        match clause:
            case Type(value, is_negated) if is_negated is negated:
                yield [FORMATS[value]]
            case Orientation(value, is_negated) if is_negated is negated:
                yield [SHAPES[value]]


def _matching(
    candidates: Subquery | CTE, filenames: Collection[Words], meaning: Meaning, owner: str, limit: int
) -> Select[datetime, UUID, int]:
    """Those of the candidates to which all of the query applies, in their order; `filenames`: what is left of these."""
    mine = (clause for clause in meaning.others if isinstance(clause, Mine))
    return (
        visible_photos()
        .join(candidates, candidates.c.photo_id == Photo.id)
        .where(*(_named(words, owner) for words in filenames))
        .where(*((Photo.owner == owner) != clause.negated for clause in mine))
        .with_only_columns(candidates.c.at, candidates.c.photo_id, candidates.c.sure)
        .order_by(candidates.c.at.desc(), candidates.c.photo_id.desc())
        .limit(limit)
    )


def _named(words: Words, owner: str) -> ColumnElement[bool]:
    named = and_(_in_filename(words), Photo.owner == owner)
    return not_(named) if words.negated else named


def _in_filename(words: Words) -> ColumnElement[bool]:
    return Photo.filename.icontains(words.text, autoescape=True)
