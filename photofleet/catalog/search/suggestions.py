"""What somebody who is typing may want to say, and how many photos that would find.

Photos are counted among the newest SAMPLE, which takes the same few milliseconds however many there are. If there are
no more than these, the number is exact; else it is scaled up and said to be about right. Of labels too rare for the
sample, no more than MOST_COUNTED are counted.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, CTE, Integer, Select, func, literal, select, true
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from photofleet.catalog.models import Label, LabelAncestor, LabelTerm, Photo, PhotoLabel, Searchable
from photofleet.catalog.photos import visible_photos
from photofleet.catalog.search.language import OPERATORS, ORIENTATIONS
from photofleet.catalog.search.planning import estimated_rows, set_locally
from photofleet.catalog.vocabulary import word_starts
from photofleet.catalog.words import normal
from photofleet.images.formats import Format

SAMPLE = 1000
FEW = 300
MOST_COUNTED = 200
MOST_RARE = 24

_LAST = re.compile(r'(?P<minus>-?)(?:(?P<operator>[^\W\d_]+):)?"?(?P<start>[^":]*)$')
_CHOICES = {
    "orientation": ORIENTATIONS,
    "type": tuple(format.value for format in Format),
    "by": ("me",),
}


@dataclass(frozen=True)
class Suggestion:
    """A way to go on: the whole query as it would be, and the part of it that is new.

    `photos` is how many show the label, None of an operator; `exact`: whether that is their number or about that.
    """

    query: str
    name: str
    photos: int | None = None
    exact: bool = True


def suggest(session: Session, typed: str, *, limit: int) -> Sequence[Suggestion]:
    """Return what the last word of a query could become: operators, and labels, those that find most first."""
    for head, last in _endings(typed):
        minus, operator, start = last["minus"], (last["operator"] or "").lower(), last["start"]
        if operator not in ("", "label") and " " in start:
            continue  # what stands after it is a word of its own
        if operator in _CHOICES:
            values = [value for value in _CHOICES[operator] if value.startswith(start.lower())]
            return [Suggestion(f"{head}{minus}{operator}:{value}", f"{operator}:{value}") for value in values][:limit]
        if operator not in ("", "label"):
            return []
        prefix = head + minus + ("label:" if operator else "")
        found = [
            Suggestion(prefix + _quoted(one.name, bool(minus or operator)), one.name, one.photos, one.exact)
            for one in suggest_labels(session, start, limit=limit)
        ]
        words = [
            Suggestion(f"{head}{minus}{name}:", f"{name}:")
            for name in OPERATORS
            if start and not operator and name.startswith(start.lower())
        ]
        if found or words:
            return [*words, *found][:limit]
    return []


def suggest_labels(session: Session, start: str, *, limit: int) -> Sequence[Suggestion]:
    """Labels with a name or synonym in which a word starts so, and that find at least one photo; most photos first."""
    words = normal(start)
    if not words:
        return []
    at_start, inside = word_starts(words)
    called_so = select(LabelTerm.label_id).where(at_start | inside)
    names = dict(session.execute(select(Label.number, Label.name).where(Label.id.in_(called_so))).all())
    found = dict(session.execute(_of_kinds(names)).all())
    scale = _scale(session)
    photos = {number: round(count * scale) for number, count in found.items()}
    if scale > 1 and len(found) < limit:
        rare = sorted(names.keys() - found.keys(), key=names.__getitem__)[:MOST_RARE]
        photos |= _rare(session, rare)
    best = sorted(photos, key=lambda number: (-photos[number], names[number]))[:limit]
    return [Suggestion(names[one], names[one], *_rounded(photos[one], exact=scale == 1)) for one in best]


def common_labels(session: Session, *, limit: int) -> Sequence[str]:
    """The names of the labels that most of the newest FEW photos show, themselves and not as kinds of them."""
    return session.scalars(_common(limit)).all()


def _endings(typed: str) -> Iterator[tuple[str, re.Match[str]]]:
    """What is being typed at the end of a query, with what stands before it; its last three words may be one label."""
    starts = [found.start() for found in re.finditer(r"\S+", typed)] or [0]
    quote = typed.rfind('"')
    if typed.count('"') % 2:
        starts = [start for start in starts if start < quote or typed[start] == '"']
        starts = [max(start for start in starts if start <= quote)]
    for start in starts[-3:]:
        if last := _LAST.match(typed, start):
            yield typed[:start], last


def _quoted(name: str, needed: bool) -> str:
    return f'"{name}"' if needed and " " in name else name


def _newest(photos: int) -> CTE:
    newest = select(Searchable.photo_id, Searchable.kinds).order_by(Searchable.at.desc(), Searchable.photo_id.desc())
    return newest.limit(photos).cte("newest").prefix_with("MATERIALIZED")


def _of_kinds(numbers: Collection[int]) -> Select[int, int]:
    """How many photos of the sample show each of these labels, or a kind of it."""
    newest = _newest(SAMPLE)
    shown = select(func.unnest(newest.c.kinds).label("number")).where(newest.c.photo_id.in_(_visible()))
    number = shown.subquery("shown").c.number
    wanted = literal(sorted(numbers), ARRAY(Integer))
    return select(number, func.count()).where(number == func.any(wanted)).group_by(number)


def _common(limit: int) -> Select[str]:
    newest = _newest(FEW)
    shown = (
        select(PhotoLabel.photo_id, Label.id, Label.name)
        .join(Label, Label.id == PhotoLabel.label_id)
        .join(newest, newest.c.photo_id == PhotoLabel.photo_id)
        .where(PhotoLabel.confidence >= Label.least_confidence, newest.c.photo_id.in_(_visible()))
        .cte("shown")
    )
    kind = shown.alias("kind")
    implied = (
        select(kind.c.id)
        .join(LabelAncestor, LabelAncestor.label_id == kind.c.id)
        .where(kind.c.photo_id == shown.c.photo_id, kind.c.id != shown.c.id, LabelAncestor.ancestor_id == shown.c.id)
        .exists()
    )
    photos = func.count(shown.c.photo_id.distinct())
    names = select(shown.c.name).where(~implied).group_by(shown.c.id, shown.c.name)
    return names.order_by(photos.desc(), shown.c.name).limit(limit)


def _scale(session: Session) -> float:
    """How many photos there are for each of the sample; 1 where that has them all."""
    if session.scalar(select(Searchable.photo_id).order_by(Searchable.at.desc()).offset(SAMPLE).limit(1)) is None:
        return 1
    # Counting a million would take too long.
    return max(estimated_rows(session, select(Searchable.photo_id)), SAMPLE + 1) / SAMPLE


def _rare(session: Session, numbers: Sequence[int]) -> Mapping[int, int]:
    """How many photos show labels that the sample has not, as far as they are worth counting."""
    asked = select(func.unnest(literal(list(numbers), ARRAY(Integer))).label("number")).subquery("asked").c.number
    showing = (
        select(Searchable.photo_id)
        .where(Searchable.kinds.bool_op("&&")(array([asked])))
        .limit(MOST_COUNTED)
        .lateral("showing")
    )
    counts = select(asked, func.count()).join(showing, true()).where(showing.c.photo_id.in_(_visible())).group_by(asked)
    set_locally(session, {"enable_seqscan": "off"})  # for so few, no table is to be read as a whole
    return dict(session.execute(counts).all())


def _visible() -> Select[UUID]:
    return visible_photos().with_only_columns(Photo.id)


def _rounded(photos: int, *, exact: bool) -> tuple[int, bool]:
    if exact:
        return photos, True
    unit = 10 ** max(len(str(photos)) - 2, 0)
    return round(photos / unit) * unit, False
