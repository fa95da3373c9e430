"""The photos that a query finds, as one SQL statement that takes about as long for common words as for rare ones.

Two ways lead to the newest photos to which all of a query applies. Where that is true of many, they are among the
newest of all photos, in order of time (`_newest`). Where it is true of few, an index knows them (`_indexed`). Nobody
can say beforehand how many it is true of, as words go together or apart. So the statement looks through the first
WINDOW photos, and asks the index only if that did not fill the page.

Both go by `Searchable`, which says what each photo shows. Photos and labels are looked at for what that does not know,
one photo after the other, in order of time, until the page is full.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Integer,
    Select,
    SQLColumnExpression,
    Subquery,
    Text,
    and_,
    cast,
    func,
    literal,
    not_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import LateralFromClause

from photofleet.catalog.models import Label, Photo, PhotoLabel, Searchable
from photofleet.catalog.photos import visible_photos
from photofleet.catalog.search.language import Before, Mine, Orientation, Since, Sure, Type, Words
from photofleet.catalog.search.meaning import Meaning, Thing
from photofleet.catalog.search.planning import set_locally
from photofleet.catalog.search.traits import FORMATS, SHAPES

WINDOW = 10_000

_ORDER = (Searchable.at.desc(), Searchable.photo_id.desc())

_SETTINGS = {
    # Compiling takes longer than any of these statements, and a plan made for other words would be a bad one.
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
    # Words that go together seem rarer than they are; the table is never read as a whole for that.
    "enable_seqscan": "off",
}


@dataclass(frozen=True)
class Match:
    """A photo that was found; `sure`: how sure the least sure of the words is, from 0 to 1."""

    at: datetime
    photo_id: UUID
    sure: float


@dataclass(frozen=True)
class Point:
    """A place in the order of time."""

    at: datetime
    photo_id: UUID


def find_matches(
    session: Session, meaning: Meaning, *, owner: str, start: Point | None, limit: int, ranked: bool
) -> Sequence[Match]:
    """The newest photos to which a query applies, from a point on, newest first; `ranked`: whether to say how sure."""
    set_locally(session, _SETTINGS)
    rows = session.execute(statement(meaning, owner=owner, start=start, limit=limit, ranked=ranked))
    return [Match(at, photo_id, sure) for at, photo_id, sure in rows]


def statement(
    meaning: Meaning, *, owner: str, start: Point | None, limit: int, ranked: bool
) -> Select[datetime, UUID, float]:
    """What `find_matches` asks the database."""
    if _wanted(meaning) or any(not words.negated for words in meaning.filenames):
        newest = _matching(_newest(meaning, start), meaning, owner, limit).cte("newest")
        enough = select(func.count()).select_from(newest).scalar_subquery() >= limit
        indexed = _matching(_indexed(meaning, owner, start), meaning, owner, limit).cte("indexed")
        found = union_all(select(newest).where(enough), select(indexed).where(~enough)).subquery("found")
    else:
        everything = select(Searchable.at, Searchable.photo_id).where(*_within(meaning, start), *_kinds(meaning))
        found = _matching(everything.order_by(*_ORDER).subquery("candidates"), meaning, owner, limit).subquery("found")
    ordered = (found.c.at.desc(), found.c.photo_id.desc())
    asked = [thing for thing in meaning.things if not thing.words.negated]
    if not (ranked and asked):
        return select(found.c.at, found.c.photo_id, literal(1.0)).order_by(*ordered)
    surest = _surest(asked, found.c.photo_id)
    sure = func.coalesce(func.least(*surest.c), 0.0)  # none, where the search does not follow a new threshold yet
    return select(found.c.at, found.c.photo_id, sure).join(surest, true()).order_by(*ordered)


def least_sure(meaning: Meaning) -> float:
    """The confidence that the query asks for, over that from which labels are shown."""
    return max((clause.confidence for clause in meaning.others if isinstance(clause, Sure)), default=0.0)


def _newest(meaning: Meaning, start: Point | None) -> Subquery:
    """Candidates among the first photos, without the help of an index of labels."""
    window = select(Searchable).where(*_within(meaning, start)).order_by(*_ORDER).limit(WINDOW).subquery("window")
    return (
        select(window.c.at, window.c.photo_id)
        .where(*_kinds(meaning, window.c.kinds))
        .order_by(window.c.at.desc(), window.c.photo_id.desc())
        .subquery("candidates")
    )


def _indexed(meaning: Meaning, owner: str, start: Point | None) -> CTE:
    """All candidates, by the indexes of labels and of filenames."""
    named = (
        Searchable.photo_id.in_(select(Photo.id).where(_named(words, owner)))
        for words in meaning.filenames
        if not words.negated
    )
    candidates = select(Searchable.at, Searchable.photo_id).where(*_within(meaning, start), *_kinds(meaning), *named)
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


def _kinds(
    meaning: Meaning, kinds: SQLColumnExpression[list[int]] = Searchable.kinds.expression
) -> list[ColumnElement[bool]]:
    """That a photo shows what it is to show, which an index knows, and nothing that it is not to show."""

    def any_of(numbers: Collection[int]) -> ColumnElement[bool]:
        return kinds.bool_op("&&")(cast(sorted(numbers), ARRAY(Integer)))

    return [*map(any_of, _wanted(meaning)), *(not_(any_of(numbers)) for numbers in _unwanted(meaning))]


def _wanted(meaning: Meaning) -> list[Collection[int]]:
    """For each thing that is asked for, the numbers of which a photo has to have one; rather rare ones first."""
    things = sorted((thing for thing in meaning.things if not thing.words.negated), key=lambda thing: len(thing.kinds))
    return [*(thing.numbers for thing in things), *(_traits(meaning, negated=False))]


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


def _matching(candidates: Subquery | CTE, meaning: Meaning, owner: str, limit: int) -> Select[datetime, UUID]:
    """Those of the candidates to which all of the query applies, in their order."""
    found = visible_photos().join(candidates, candidates.c.photo_id == Photo.id)
    asked = [thing for thing in meaning.things if not thing.words.negated]
    if asked and (least := least_sure(meaning)):
        surest = _surest(asked, candidates.c.photo_id)
        found = found.join(surest, true()).where(*(confidence >= least for confidence in surest.c))
    mine = (clause for clause in meaning.others if isinstance(clause, Mine))
    return (
        found.where(*(_named(words, owner) for words in meaning.filenames))
        .where(*((Photo.owner == owner) != clause.negated for clause in mine))
        .with_only_columns(candidates.c.at, candidates.c.photo_id)
        .order_by(candidates.c.at.desc(), candidates.c.photo_id.desc())
        .limit(limit)
    )


def _surest(things: Sequence[Thing], photo_id: ColumnElement[UUID]) -> LateralFromClause:
    """How sure it is that a photo shows each of the things.

    It is an aggregate, so that a photo's labels are read once, and only if nothing else has sorted the photo out.
    """
    surest = [
        func.max(PhotoLabel.confidence)
        .filter(PhotoLabel.label_id == func.any(_array(thing.kinds)))
        .label(f"thing{number}")
        for number, thing in enumerate(things)
    ]
    return (
        select(*surest)
        .join(Label, Label.id == PhotoLabel.label_id)
        .where(PhotoLabel.photo_id == photo_id, PhotoLabel.confidence >= Label.least_confidence)
        .lateral()
    )


def _array(label_ids: Iterable[str]) -> ColumnElement[list[str]]:
    return literal(sorted(label_ids), ARRAY(Text))


def _named(words: Words, owner: str) -> ColumnElement[bool]:
    named = and_(_in_filename(words), Photo.owner == owner)
    return not_(named) if words.negated else named


def _in_filename(words: Words) -> ColumnElement[bool]:
    return Photo.filename.icontains(words.text, autoescape=True)
