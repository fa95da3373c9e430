"""What the words of a query mean: labels of the taxonomy, or parts of filenames."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.orm import Session

from photofleet.catalog.models import Label, LabelAncestor
from photofleet.catalog.search.language import LITTLE, Clause, Mistake, Place, Query, Words
from photofleet.catalog.taxonomy import load_taxonomy
from photofleet.catalog.vocabulary import labels_called, meant_by
from photofleet.catalog.words import forms, normal

LONGEST_TERM = 5
"""The most words that are taken for one label without quotation marks."""

_TRIGRAM = re.compile(r"[^\W_]{3}")
"""What the index of filenames needs to be of use; words without it are in no filename."""

_NUMBER = re.compile(r"[0-9]{3}")
"""What is in the filenames that cameras give, and in no label."""

ALTERNATIVES = 3
LIKENESS = 0.65
MOST_UNKNOWN = 3
"""For so many unknown words others like them are looked for, which takes a while."""


@dataclass(frozen=True)
class Thing:
    """Something that is to be in a photo, or not to be: the labels of which any will do, with their numbers.

    `kinds` are the ids of these labels and of all kinds of them, each with the name of the one that it is a kind of.
    """

    words: Words
    names: tuple[str, ...]
    numbers: tuple[int, ...]
    kinds: Mapping[str, str]


@dataclass(frozen=True)
class Unknown:
    """A word that no label is called, and labels that are written much like it."""

    text: str
    place: Place
    alternatives: tuple[str, ...]


@dataclass(frozen=True)
class Meaning:
    """A query, understood: things, words to look for in the names of one's own files, and all its other clauses.

    `hopeless`: one of the words is no label and cannot be in a filename.
    """

    things: tuple[Thing, ...]
    filenames: tuple[Words, ...]
    others: tuple[Clause, ...]
    unknown: tuple[Unknown, ...]
    mistakes: tuple[Mistake, ...]
    hopeless: bool


def understand(session: Session, query: Query) -> Meaning:
    """Find the labels that a query names; words in a row are taken for the longest label that they make."""
    words = [clause for clause in query.clauses if isinstance(clause, Words)]
    groups = list(_groups(query.clauses))
    known = labels_called(session, {form for group in groups for some in _spans(group) for form in forms(some.text)})
    named_so, left = [], []
    for group in groups:
        position = 0
        while position < len(group):
            length, labels = _longest(group[position:], known)
            one = _joined(group[position : position + length])
            if labels:
                named_so.append((one, labels))
            elif not (one.joins and normal(one.text) in LITTLE):
                left.append(one)
            position += length
    things = _things(session, named_so)
    named = [one for one in left if not one.label_only]
    return Meaning(
        tuple(things),
        tuple(one for one in named if _TRIGRAM.search(one.text)),
        tuple(clause for clause in query.clauses if clause not in words),
        tuple(Unknown(one.text, one.place, _alternatives(one.text)) for one in named[:MOST_UNKNOWN]),
        (
            *query.mistakes,
            *(_no_label(one) for one in left[:MOST_UNKNOWN] if one.label_only),
            *_contradictions(things, named),
        ),
        any(not (one.negated or _TRIGRAM.search(one.text)) for one in named),
    )


def _groups(clauses: Sequence[Clause]) -> Iterator[list[Words]]:
    """Words that stand together and may be one label; each of the others by itself."""
    for joins, group in groupby(clauses, key=lambda clause: isinstance(clause, Words) and clause.joins):
        words = [clause for clause in group if isinstance(clause, Words)]
        if joins:
            yield words
        else:
            yield from ([one] for one in words)


def _spans(group: Sequence[Words]) -> Iterator[Words]:
    for start in range(len(group)):
        for end in range(start + 1, min(start + LONGEST_TERM, len(group)) + 1):
            yield _joined(group[start:end])


def _joined(words: Sequence[Words]) -> Words:
    first, last = words[0], words[-1]
    text = " ".join(one.text for one in words)
    return Words(text, Place(first.place.start, last.place.end), first.negated, first.joins, first.label_only)


def _longest(group: Sequence[Words], known: Mapping[str, Sequence[Label]]) -> tuple[int, Sequence[Label]]:
    for length in range(min(LONGEST_TERM, len(group)), 0, -1):
        text = _joined(group[:length]).text
        if labels := meant_by(text, known):
            return length, labels
    return 1, []


def _things(session: Session, named_so: Sequence[tuple[Words, Sequence[Label]]]) -> Sequence[Thing]:
    """What words mean that labels are called, in one query for all of them."""
    asked = {label.id for _, labels in named_so for label in labels}
    kinds: dict[str, list[str]] = {label_id: [] for label_id in asked}
    pairs = select(LabelAncestor.label_id, LabelAncestor.ancestor_id).where(LabelAncestor.ancestor_id.in_(asked))
    for label_id, ancestor_id in session.execute(pairs):
        kinds[ancestor_id].append(label_id)
    return [
        Thing(
            words,
            tuple(dict.fromkeys(label.name for label in labels)),
            tuple({label.number for label in labels}),
            {kind: label.name for label in labels for kind in kinds[label.id]}
            | {label.id: label.name for label in labels},
        )
        for words, labels in named_so
    ]


def _no_label(words: Words) -> Mistake:
    names = " or ".join(f"“{name}”" for name in _alternatives(words.text))
    advice = f"Did you mean {names}?" if names else "Try a simpler or a more general word."
    return Mistake(words.place, f"No label is called “{words.text}”. {advice}")


def _contradictions(things: Sequence[Thing], named: Sequence[Words]) -> Iterator[Mistake]:
    """What is both asked for and negated, for which all photos would be looked through in vain."""
    for no in things:
        for yes in things:
            if no.words.negated and not yes.words.negated and yes.kinds.keys() <= no.kinds.keys():
                yield _contradiction(yes.words, no.words)
    for no_words in named:
        for yes_words in named:
            if no_words.negated and not yes_words.negated and normal(no_words.text) in normal(yes_words.text):
                yield _contradiction(yes_words, no_words)


def _contradiction(yes: Words, no: Words) -> Mistake:
    return Mistake(no.place, f"“-{no.text}” leaves out all that “{yes.text}” asks for; remove one of them.")


def _alternatives(text: str) -> tuple[str, ...]:
    if _NUMBER.search(text):
        return ()
    return tuple(get_close_matches(normal(text)[:40], _terms(), ALTERNATIVES, LIKENESS))


@cache
def _terms() -> Sequence[str]:
    return sorted({term.lower() for label in load_taxonomy() for term in (label.name, *label.synonyms)})
