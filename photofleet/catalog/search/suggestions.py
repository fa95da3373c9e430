"""What somebody who is typing may want to say, and how many photos that would find.

Photos are counted among the newest SAMPLE, which takes the same few milliseconds however many there are, and needs
nothing that would have to be kept up to date. If there are no more than these, the number is exact; else it is scaled
up and said to be about right. Of each label too rare for the sample, MOST_COUNTED entries are looked at.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, Select, Text, func, literal, select, text, true
from sqlalchemy.orm import Session

from photofleet.catalog.models import Label, LabelAncestor, LabelTerm, Photo, PhotoLabel, Searchable
from photofleet.catalog.photos import visible_photos
from photofleet.catalog.search.language import OPERATORS, ORIENTATIONS
from photofleet.catalog.search.planning import set_locally
from photofleet.catalog.vocabulary import word_starts
from photofleet.catalog.words import normal
from photofleet.images.formats import Format

SAMPLE = 1000
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
    matching = select(LabelTerm.label_id).where(at_start | inside)
    names = {label.id: label.name for label in session.scalars(select(Label).where(Label.id.in_(matching)))}
    found, exact = _in_sample(session, matching)
    if not exact and len(found) < limit:
        rare = sorted(names.keys() - found.keys(), key=names.__getitem__)[:MOST_RARE]
        found = {**found, **_rare(session, rare)}
    best = sorted(found, key=lambda label_id: (-found[label_id], names[label_id]))[:limit]
    return [Suggestion(names[one], names[one], *_rounded(found[one], exact)) for one in best]


def common_labels(session: Session, *, limit: int) -> Sequence[Suggestion]:
    """The labels that find the most photos."""
    found, exact = _in_sample(session, select(PhotoLabel.label_id), kinds=False)
    best = sorted(found, key=lambda label_id: (-found[label_id], label_id))[:limit]
    names = {label.id: label.name for label in session.scalars(select(Label).where(Label.id.in_(best)))}
    return [Suggestion(names[one], names[one], *_rounded(found[one], exact)) for one in best]


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


def _in_sample(session: Session, labels: Select[str], *, kinds: bool = True) -> tuple[Mapping[str, int], bool]:
    """How many photos show each label, by its id, and whether that is exact."""
    sample = select(Searchable.photo_id).order_by(Searchable.at.desc(), Searchable.photo_id.desc()).limit(SAMPLE)
    newest = sample.cte("newest").prefix_with("MATERIALIZED")
    shown = (
        select(LabelAncestor.ancestor_id, func.count(PhotoLabel.photo_id.distinct()))
        .select_from(newest)
        .join(PhotoLabel, PhotoLabel.photo_id == newest.c.photo_id)
        .join(Label, Label.id == PhotoLabel.label_id)
        .join(LabelAncestor, LabelAncestor.label_id == PhotoLabel.label_id)
        .where(
            PhotoLabel.confidence >= Label.least_confidence,
            PhotoLabel.photo_id.in_(visible_photos().with_only_columns(Photo.id)),
            LabelAncestor.ancestor_id.in_(labels) if kinds else LabelAncestor.ancestor_id == PhotoLabel.label_id,
        )
        .group_by(LabelAncestor.ancestor_id)
    )
    set_locally(session, {"jit": "off"})
    counts = {row[0]: row[1] for row in session.execute(shown)}
    size = session.scalar(select(func.count()).select_from(newest)) or 0
    if size < SAMPLE:
        return counts, True
    # As many as PostgreSQL noted when it last looked; counting a million would take too long.
    total = session.scalar(text("SELECT reltuples FROM pg_class WHERE oid = CAST('searchable' AS regclass)"))
    scale = max(total or 0, SAMPLE) / SAMPLE
    return {label_id: round(count * scale) for label_id, count in counts.items()}, False


def _rare(session: Session, label_ids: Sequence[str]) -> Mapping[str, int]:
    """How many photos show labels that the sample has not, as far as they are worth counting.

    The limit is on what is read, not on what is left of it: most of a label may be too unsure to be shown.
    """
    asked = select(func.unnest(literal(list(label_ids), ARRAY(Text))).label("id")).subquery("asked")
    said = (
        select(PhotoLabel.photo_id, PhotoLabel.label_id, PhotoLabel.confidence)
        .join(LabelAncestor, LabelAncestor.label_id == PhotoLabel.label_id)
        .where(LabelAncestor.ancestor_id == asked.c.id)
        .limit(MOST_COUNTED)
        .lateral()
    )
    counts = (
        select(asked.c.id, func.count(said.c.photo_id.distinct()))
        .join(said, true())
        .join(Label, Label.id == said.c.label_id)
        .where(
            said.c.confidence >= Label.least_confidence,
            said.c.photo_id.in_(visible_photos().with_only_columns(Photo.id)),
        )
        .group_by(asked.c.id)
    )
    set_locally(session, {"enable_seqscan": "off"})  # for so few, no table is to be read as a whole
    return {row[0]: row[1] for row in session.execute(counts)}


def _rounded(photos: int, exact: bool) -> tuple[int, bool]:
    if exact:
        return photos, True
    unit = 10 ** max(len(str(photos)) - 2, 0)
    return round(photos / unit) * unit, False
