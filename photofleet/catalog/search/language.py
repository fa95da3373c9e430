"""What people type into the search box, as data.

A query is words and operators between blanks; a photo is found if all of them apply:

    dog                      shows a dog: a label of this name, a synonym, or a kind of it
    golden retriever         several words that are one label are one thing; "golden retriever" says so
    -cat  -"polar bear"      does not show it; every operator but min:, from: and to: can be negated so, too
    label:crane              a label, never a filename
    min:80                   the labels that words ask for are at least 80 % sure
    from:2026-05-01          taken (or, where that is not known, uploaded) on that day or later; a month (2026-05)
    to:2026                  or a year does, too, and to: includes it all; in universal time
    by:me                    one's own
    orientation:landscape    or portrait, or square
    type:png                 or jpeg, webp, gif, avif, heic, tiff

A word that is no label is looked for in the names of one's own files; the LITTLE words between others are not, unless
they are in quotation marks. What is both asked for and negated is a mistake.
"""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from photofleet.catalog.words import normal
from photofleet.images.formats import Format

ORIENTATIONS = ("landscape", "portrait", "square")
TYPES = {"jpg": "jpeg", "tif": "tiff", "heif": "heic"} | {format.value: format.value for format in Format}
OPERATORS = {
    "label": "a label, as in label:dog",
    "min": "a percentage, as in min:80",
    "from": "a day, month or year, as in from:2026-05-01",
    "to": "a day, month or year, as in to:2026-05-31",
    "by": "only “me”, as in by:me",
    "orientation": "landscape, portrait or square",
    "type": f"one of {', '.join(format.value for format in Format)}",
}
"""What may stand before a colon, and what then stands after it."""

LITTLE = frozenset({"a", "an", "and", "at", "in", "my", "of", "on", "some", "the", "with"})
"""Words that say nothing of what is in a photo, as in "dog on the beach"."""

MOST_CLAUSES = 20
"""Of one query: nobody means more, and each takes time."""


@dataclass(frozen=True)
class Place:
    """Where in the query something stands: from its first character to before `end`, counted from 0."""

    start: int
    end: int


@dataclass(frozen=True)
class Words:
    """A thing that is to be in the photo. `joins`: whether it may be one label with the words around it."""

    text: str
    place: Place
    negated: bool = False
    joins: bool = False
    label_only: bool = False


@dataclass(frozen=True)
class Sure:
    """How sure labels must be, from 0 to 1."""

    confidence: float


@dataclass(frozen=True)
class Since:
    """Taken or uploaded then or later."""

    at: datetime


@dataclass(frozen=True)
class Before:
    """Taken or uploaded before then."""

    at: datetime


@dataclass(frozen=True)
class Mine:
    """One's own."""

    negated: bool = False


@dataclass(frozen=True)
class Orientation:
    """One of ORIENTATIONS."""

    value: str
    negated: bool = False


@dataclass(frozen=True)
class Type:
    """The format of the uploaded file, as the catalog names it."""

    value: str
    negated: bool = False


Clause = Words | Sure | Since | Before | Mine | Orientation | Type


@dataclass(frozen=True)
class Mistake:
    """What cannot be understood, in a sentence for people that says what to do, and where it stands."""

    place: Place
    message: str


@dataclass(frozen=True)
class Query:
    """What was asked for, in its order, and what in it cannot be understood."""

    clauses: tuple[Clause, ...]
    mistakes: tuple[Mistake, ...]


class _MisunderstoodError(Exception):
    pass


_TOKEN = re.compile(
    r"""
    (?=\S)
    (?P<minus> -(?=\S) )?
    (?: (?P<operator> [^\W\d_]+ ) : )?
    (?: "(?P<quoted> [^"]* )(?P<closed> "? ) | (?P<bare> [^\s"]+ ) | )
    """,
    re.VERBOSE,
)
_PERIOD = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?")


def parse(text: str) -> Query:
    """Read a query; what is wrong in it is told, and the rest is understood all the same."""
    text = text.replace("\0", " ")  # which no column can hold
    clauses: list[Clause] = []
    mistakes: list[Mistake] = []
    for token in _TOKEN.finditer(text):
        place = Place(token.start(), token.end())
        if len(clauses) == MOST_CLAUSES:
            mistakes.append(
                Mistake(Place(token.start(), len(text)), f"Please ask for {MOST_CLAUSES} things at most; leave some.")
            )
            break
        try:
            clauses.append(_clause(token, place))
        except _MisunderstoodError as misunderstood:
            mistakes.append(Mistake(place, str(misunderstood)))
    since = max((clause.at for clause in clauses if isinstance(clause, Since)), default=None)
    before = min((clause.at for clause in clauses if isinstance(clause, Before)), default=None)
    if since and before and since >= before:
        mistakes.append(
            Mistake(Place(0, len(text)), "“from:” is after “to:”, so nothing can be between them; swap them.")
        )
    if any(isinstance(clause, Mine | Orientation | Type) and _negation(clause) in clauses for clause in clauses):
        mistakes.append(
            Mistake(Place(0, len(text)), "The same is asked for with a minus and without, so remove one of them.")
        )
    return Query(tuple(clauses), tuple(mistakes))


def _negation(clause: Mine | Orientation | Type) -> Clause:
    return replace(clause, negated=not clause.negated)


def _clause(token: re.Match[str], place: Place) -> Clause:
    negated, operator, quoted = bool(token["minus"]), (token["operator"] or "").lower(), token["quoted"]
    value = token["bare"] or quoted or ""
    if quoted is not None and not token["closed"]:
        raise _MisunderstoodError(f"The quotation mark before “{quoted}” has no other after it; add that.")
    if operator:
        _check(operator, value, negated=negated)
    elif not normal(value):
        raise _MisunderstoodError("There is nothing between the quotation marks; write a word there, or remove them.")
    if operator in _READ:
        return _READ[operator](value, negated)
    return Words(
        value, place, negated, joins=quoted is None and not negated and not operator, label_only=bool(operator)
    )


def _check(operator: str, value: str, *, negated: bool) -> None:
    if operator not in OPERATORS:
        listed = ", ".join(f"{name}:" for name in OPERATORS)
        raise _MisunderstoodError(f"There is no “{operator}:”. There are {listed}; other words go in quotation marks.")
    if not normal(value):
        raise _MisunderstoodError(f"Nothing stands after “{operator}:”; add {OPERATORS[operator]}.")
    if negated and operator in ("min", "from", "to"):
        raise _MisunderstoodError(f"“{operator}:” cannot be negated; leave the minus out.")


def _one_of(operator: str, value: str, known: Container[str]) -> str:
    if (found := value.lower()) not in known:
        raise _MisunderstoodError(f"“{operator}:” does not take “{value}”; it takes {OPERATORS[operator]}.")
    return found


def _mine(value: str, negated: bool) -> Mine:
    _one_of("by", value, ("me",))
    return Mine(negated)


def _percent(value: str) -> float:
    number = value.removesuffix("%")
    if not (number.isascii() and number.isdecimal() and len(number) <= 3 and int(number) <= 100):
        raise _MisunderstoodError(f"“min:” takes a percentage from 0 to 100, as in min:80, not “{value}”.")
    return int(number) / 100


def _period(operator: str, value: str) -> tuple[datetime, datetime]:
    """The beginning of a day, month or year, and that of the next."""
    wrong = _MisunderstoodError(
        f"“{operator}:” takes a day, a month or a year, as in {operator}:2026-05-01, not “{value}”."
    )
    if not (found := _PERIOD.fullmatch(value)):
        raise wrong
    year, month, day = (int(part or 0) for part in found.groups())
    try:
        start = datetime(year, month or 1, day or 1, tzinfo=UTC)
        if day:
            return start, start + timedelta(days=1)
        if month:
            return start, (start + timedelta(days=31)).replace(day=1)
        return start, start.replace(year=year + 1)
    except (ValueError, OverflowError):
        raise wrong from None


_READ: dict[str, Callable[[str, bool], Clause]] = {
    "min": lambda value, _: Sure(_percent(value)),
    "from": lambda value, _: Since(_period("from", value)[0]),
    "to": lambda value, _: Before(_period("to", value)[1]),
    "by": _mine,
    "orientation": lambda value, negated: Orientation(_one_of("orientation", value, ORIENTATIONS), negated),
    "type": lambda value, negated: Type(TYPES[_one_of("type", value, TYPES)], negated),
}
