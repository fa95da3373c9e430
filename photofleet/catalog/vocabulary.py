"""The labels that people can name: which one a word means, and which begin as somebody types."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from photofleet.catalog.models import Label, LabelTerm
from photofleet.catalog.words import forms, normal


@dataclass(frozen=True)
class Choice:
    """A label that a word can mean."""

    id: str
    name: str


class UnclearLabelError(LookupError):
    """A word means no label, or more than one; the message is for who typed it.

    Attributes:
        choices: The labels that it can mean, by name.
    """

    def __init__(self, words: str, choices: Sequence[Choice]) -> None:
        if choices:
            names = ", ".join(label.name for label in choices)
            super().__init__(f"“{words}” can mean several things: {names}. Please choose one.")
        elif words:
            super().__init__(f"No label is called “{words}”. Please try a simpler or a more general word.")
        else:
            super().__init__("Please say which label.")
        self.choices = choices


def label_called(session: Session, words: str) -> Label:
    """The label that a name, a synonym, the plural of these, or an id means.

    A label of exactly this name is the one that is meant, whatever else is called so, too.

    Raises:
        UnclearLabelError: if that is none, or more than one.
    """
    typed = normal(words)
    if (label := session.get(Label, typed)) is not None:
        return label
    found = sorted(meant_by(words, labels_called(session, forms(words))), key=lambda label: label.name)
    found = [label for label in found if label.name.lower() == typed] or found
    if len(found) != 1:
        raise UnclearLabelError(typed, [Choice(label.id, label.name) for label in found])
    return found[0]


def labels_starting(session: Session, start: str, *, limit: int) -> Sequence[Label]:
    """The labels with a name or synonym in which a word starts so; those that start so themselves first."""
    typed = normal(start)
    if not typed:
        return []
    at_start, inside = word_starts(typed)
    name = func.lower(Label.name)
    named_so = name.startswith(typed, autoescape=True)
    found = (
        select(Label)
        .join(LabelTerm)
        .where(at_start | inside)
        .group_by(Label.id)
        .order_by(named_so.desc(), func.bool_or(at_start).desc(), func.length(name), name)
        .limit(limit)
    )
    return session.scalars(found).all()


def word_starts(start: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """That a term starts so, and that a later word of it does; `start` is in its normal form."""
    at_start = LabelTerm.term.startswith(start, autoescape=True)
    return at_start, LabelTerm.term.contains(" " + start, autoescape=True)


def labels_called(session: Session, terms: Collection[str]) -> dict[str, list[Label]]:
    """The labels that are called so, by term and name; terms that no label has are left out."""
    found: dict[str, list[Label]] = {}
    for term, label in session.execute(
        select(LabelTerm.term, Label)
        .join(Label, Label.id == LabelTerm.label_id)
        .where(LabelTerm.term.in_(terms))
        .order_by(Label.name, Label.id)
    ):
        found.setdefault(term, []).append(label)
    return found


def meant_by(words: str, known: Mapping[str, Sequence[Label]]) -> Sequence[Label]:
    """Those of the labels that words can mean, where `known` has all that are called like a form of them.

    Singulars are tried only where nothing is called as the words stand: who says "glasses" means no "glass".
    """
    singulars = (label for form in sorted(forms(words)) for label in known.get(form, ()))
    return known.get(normal(words)) or list(dict.fromkeys(singulars))
