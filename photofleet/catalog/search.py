"""Finding photos by what is in them: a label's name or synonym, or any ancestor of the label."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from photofleet.catalog.models import Label, LabelAncestor, LabelTerm, Photo, PhotoLabel
from photofleet.catalog.photos import Page, page_of, visible_photos


@dataclass(frozen=True)
class Found:
    """The photos that a query found, and the names of the labels that it was understood as."""

    page: Page
    matched: Sequence[str]


@dataclass(frozen=True)
class Suggestion:
    """A label that can be searched for, and how many photos that would find."""

    name: str
    photos: int


def search_photos(session: Session, query: str, *, before: UUID | None, limit: int) -> Found:
    """The photos that show what the query names, newest first."""
    labels = session.scalars(
        select(Label).join(LabelTerm).where(LabelTerm.term.in_(_forms(query))).order_by(Label.name).distinct()
    ).all()
    showing = (
        select(PhotoLabel.photo_id)
        .join(LabelAncestor, LabelAncestor.label_id == PhotoLabel.label_id)
        .where(LabelAncestor.ancestor_id.in_([label.id for label in labels]))
    )
    page = page_of(session, visible_photos().where(Photo.id.in_(showing)), before=before, limit=limit)
    return Found(page, list(dict.fromkeys(label.name for label in labels)))


def suggest_labels(session: Session, start: str, *, limit: int) -> Sequence[Suggestion]:
    """Labels with a name or synonym in which a word starts so, and that find at least one photo; most photos first."""
    words = _normal(start)
    if not words:
        return []
    at_start = LabelTerm.term.startswith(words, autoescape=True)
    inside = LabelTerm.term.contains(" " + words, autoescape=True)
    matching = select(LabelTerm.label_id).where(at_start | inside)
    return _counted(session, matching, limit)


def common_labels(session: Session, *, limit: int) -> Sequence[Suggestion]:
    """The labels that find the most photos."""
    return _counted(session, select(PhotoLabel.label_id), limit)


def _counted(session: Session, label_ids: Select[str], limit: int) -> Sequence[Suggestion]:
    photos = func.count(PhotoLabel.photo_id.distinct())
    rows = session.execute(
        select(Label.name, photos)
        .join(LabelAncestor, LabelAncestor.ancestor_id == Label.id)
        .join(PhotoLabel, PhotoLabel.label_id == LabelAncestor.label_id)
        .where(Label.id.in_(label_ids), PhotoLabel.photo_id.in_(visible_photos().with_only_columns(Photo.id)))
        .group_by(Label.id)
        .order_by(photos.desc(), Label.name)
        .limit(limit)
    )
    return [Suggestion(name, count) for name, count in rows]


def _forms(query: str) -> set[str]:
    """The query, and what it would be in the singular: "dogs" is asked as often as "dog"."""
    words = _normal(query)
    endings = (("ies", "y"), ("es", ""), ("s", ""))
    return {words} | {words.removesuffix(plural) + singular for plural, singular in endings if words.endswith(plural)}


def _normal(words: str) -> str:
    return " ".join(words.lower().replace("\0", "").split())
