"""The photos whose renditions another setting has made: finding them, and having them made anew.

A refresh keeps its state here and nowhere else, so that it can be stopped at any moment and started again. It does
without an index: it reads the photos once, a span of ids at a time, in about a second for a million that are up to
date. An index on `renditions_revision` would make each photo that is resized change all of its indexes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, exists, func, literal, select, text, true, update
from sqlalchemy.orm import Session

from photofleet.catalog.models import DONE, FAILED, RESIZE, UNFINISHED, Photo, Rendition, Stage
from photofleet.catalog.stages import REOPENED

SPAN = 10_000
"""So many photos are looked at in one statement, which takes some tenths of a second at most."""


class Outcome(Enum):
    """What became of a photo that was opened again."""

    REFRESHED = "it is up to date"
    FAILED = "it failed for good, and keeps the renditions that it had"
    UNCHANGED = "a worker has resized it, with another setting"
    DELETED = "it was deleted meanwhile"


@dataclass(frozen=True)
class Span:
    """The outdated among some photos, newest first, and the id before which the next ones are; None after the last."""

    photo_ids: Sequence[UUID]
    next_before: UUID | None


def outdated_photos(session: Session, revision: str, *, before: UUID | None) -> Span:
    """The photos of one span of ids that have renditions of another revision, and on which no resizing is owed.

    Those whose resizing failed are left out, or each refresh would try them again; so a newer program does not get
    the files that only it could read.
    """
    ids = select(Photo.id).where(Photo.id < before if before else true())
    oldest = session.scalar(ids.order_by(Photo.id.desc()).offset(SPAN - 1).limit(1))
    wanted = ids.where(Photo.id >= oldest) if oldest else ids
    found = wanted.join(Stage).where(_is_outdated(revision)).order_by(Photo.id.desc())
    return Span(session.scalars(found).all(), oldest)


def count_outdated(session: Session, revision: str) -> int:
    """How many photos there are of that kind; with millions, it takes longer than statements may otherwise."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    return session.scalar(select(func.count()).select_from(Photo).join(Stage).where(_is_outdated(revision))) or 0


def reopen_outdated(session: Session, photo_id: UUID, revision: str) -> Photo | None:
    """Have a photo resized anew, in the transaction in which it is announced.

    Returns:
        The photo; None if it is not outdated any more. Until that is certain, this waits for whoever is at it.
    """
    photo = session.scalar(
        select(Photo)
        .join(Stage)
        .where(Photo.id == photo_id, _is_outdated(revision))
        .with_for_update(of=(Stage, Photo), key_share=True)
    )
    if photo is None:
        return None
    session.execute(update(Stage).where(Stage.photo_id == photo_id, Stage.name == RESIZE).values(REOPENED))
    # Announced, but not counted: what sweepers announce is, and there is a limit to that.
    session.execute(update(Photo).where(Photo.id == photo_id).values(announced_at=func.now(), announcements=0))
    return photo


def photos_under_way(session: Session, revision: str) -> set[UUID]:
    """The outdated photos that have renditions and are to be resized anew, whoever opened them again."""
    has_renditions = exists().where(Rendition.photo_id == Photo.id)
    found = (
        select(Photo.id)
        .join(Stage)
        .where(Stage.name == RESIZE, Stage.state.in_(UNFINISHED), Photo.deleted_at.is_(None))
        .where(Photo.renditions_revision.is_distinct_from(revision), has_renditions)
    )
    return set(session.scalars(found))


def outcomes(session: Session, photo_ids: Collection[UUID], revision: str) -> dict[UUID, Outcome]:
    """What became of photos that were under way; without those that still are."""
    ids = literal(list(photo_ids), ARRAY(Uuid))  # one parameter, as a statement takes no more than 65,535 of them
    rows = session.execute(
        select(Photo.id, Stage.state, Photo.renditions_revision, Photo.deleted_at)
        .join(Stage)
        .where(Stage.name == RESIZE, Photo.id == any_(ids))
    )
    return {
        photo_id: _outcome(state, is_current=current == revision, is_deleted=deleted_at is not None)
        for photo_id, state, current, deleted_at in rows
        if deleted_at or state not in UNFINISHED
    }


def _outcome(state: str, *, is_current: bool, is_deleted: bool) -> Outcome:
    if is_deleted:
        return Outcome.DELETED
    if state == FAILED:
        return Outcome.FAILED
    return Outcome.REFRESHED if is_current else Outcome.UNCHANGED


def _is_outdated(revision: str) -> ColumnElement[bool]:
    return (
        (Stage.name == RESIZE)
        & (Stage.state == DONE)
        & Photo.deleted_at.is_(None)
        & Photo.renditions_revision.is_distinct_from(revision)
    )
