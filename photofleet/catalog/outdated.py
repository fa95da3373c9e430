"""The photos on which another setting or model has worked than is to: finding them, and having them worked on anew.

A refresh keeps its state here and nowhere else, so that it can be stopped at any moment and started again. It does
without an index: it reads the photos once, a span of ids at a time, in about a second for a million that are up to
date. An index on `renditions_revision` or `labels_source` would make each photo that is worked on change all of its
indexes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, any_, exists, func, literal, select, text, true, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from photofleet.catalog.models import (
    DONE,
    FAILED,
    LABEL,
    PERSON,
    RESIZE,
    UNFINISHED,
    Photo,
    PhotoLabel,
    Rendition,
    Stage,
)
from photofleet.catalog.stages import REOPENED

SPAN = 10_000
"""So many photos are looked at in one statement, which takes some tenths of a second at most."""


@dataclass(frozen=True, eq=False)
class Goal:
    """What a refresh brings all photos to: what a stage has made of them is by one setting, or by one model.

    Attributes:
        stage: The stage.
        maker: The column that says what has done the stage last.
        current: What it says of a photo that is up to date.
        has_results: Whether the stage has been done for a photo before.
        before: What was done before this moment is to be done anew, too, whatever has done it. It must have passed, or
            what is done anew would be so again.
    """

    stage: str
    maker: InstrumentedAttribute[str | None]
    current: str
    has_results: ColumnElement[bool]
    before: datetime | None = None

    @property
    def is_missed(self) -> ColumnElement[bool]:
        """Whether a photo was worked on by something else last, by a version that did not say by what, or too early."""
        by_other = self.maker.is_distinct_from(self.current)
        return by_other if self.before is None else by_other | (Stage.updated_at < self.before)


def renditions_of(revision: str) -> Goal:
    """That all photos have the renditions of a setting."""
    return Goal(RESIZE, Photo.renditions_revision, revision, exists().where(Rendition.photo_id == Photo.id))


def labels_of(source: str, *, before: datetime | None = None) -> Goal:
    """That all photos have the labels of a model, and no older ones than from a moment on, if one is given."""
    by_model = exists().where(PhotoLabel.photo_id == Photo.id, ~PhotoLabel.source.startswith(PERSON))
    return Goal(LABEL, Photo.labels_source, source, Photo.labels_source.is_not(None) | by_model, before)


def last_source(session: Session, *, name: str | None = None) -> str | None:
    """The model, with its version, that has labelled a photo last; of those with a name, if one is given."""
    found = select(Photo.labels_source).join(Stage).where(Stage.name == LABEL, Stage.state == DONE)
    is_meant = Photo.labels_source.startswith(f"{name}@", autoescape=True) if name else Photo.labels_source.is_not(None)
    return session.scalar(found.where(is_meant).order_by(Stage.updated_at.desc()).limit(1))


class Outcome(Enum):
    """What became of a photo that was opened again."""

    REFRESHED = "it is up to date"
    FAILED = "it failed for good, and keeps what it had"
    UNCHANGED = "a worker is done with it, and has another setting or model"
    DELETED = "it was deleted meanwhile"


@dataclass(frozen=True)
class Span:
    """The outdated among some photos, newest first, and the id before which the next ones are; None after the last."""

    photo_ids: Sequence[UUID]
    next_before: UUID | None


def outdated_photos(session: Session, goal: Goal, *, before: UUID | None) -> Span:
    """The photos of one span of ids that miss the goal, and on whose stage no work is owed.

    Those whose stage failed are left out, or each refresh would try them again; so a newer program does not get the
    files that only it could read.
    """
    wanted, oldest = ids_of_span(session, SPAN, before=before)
    found = wanted.join(Stage).where(_is_outdated(goal)).order_by(Photo.id.desc())
    return Span(session.scalars(found).all(), oldest)


def ids_of_span(session: Session, size: int, *, before: UUID | None) -> tuple[Select[UUID], UUID | None]:
    """Select the ids of so many photos, and say before which the next ones are; None if these are the oldest."""
    ids = select(Photo.id).where(Photo.id < before if before else true())
    oldest = session.scalar(ids.order_by(Photo.id.desc()).offset(size - 1).limit(1))
    return (ids.where(Photo.id >= oldest) if oldest else ids), oldest


def count_outdated(session: Session, goal: Goal) -> int:
    """How many photos there are of that kind; with millions, it takes longer than statements may otherwise."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    return session.scalar(select(func.count()).select_from(Photo).join(Stage).where(_is_outdated(goal))) or 0


def reopen_outdated(session: Session, photo_id: UUID, goal: Goal) -> Photo | None:
    """Have the stage done anew for a photo, in the transaction in which it is announced.

    Returns:
        The photo; None if it is not outdated any more. Until that is certain, this waits for whoever is at it.
    """
    photo = session.scalar(
        select(Photo)
        .join(Stage)
        .where(Photo.id == photo_id, _is_outdated(goal))
        .with_for_update(of=(Stage, Photo), key_share=True)
    )
    if photo is None:
        return None
    session.execute(update(Stage).where(Stage.photo_id == photo_id, Stage.name == goal.stage).values(REOPENED))
    # Announced, but not counted: what sweepers announce is, and there is a limit to that.
    session.execute(update(Photo).where(Photo.id == photo_id).values(announced_at=func.now(), announcements=0))
    return photo


def photos_under_way(session: Session, goal: Goal) -> set[UUID]:
    """The photos that have results and are worked on anew, whoever opened them again."""
    found = (
        select(Photo.id)
        .join(Stage)
        .where(Stage.name == goal.stage, Stage.state.in_(UNFINISHED), Photo.deleted_at.is_(None))
        .where(goal.has_results)
    )
    return set(session.scalars(found))


def outcomes(session: Session, photo_ids: Collection[UUID], goal: Goal) -> dict[UUID, Outcome]:
    """What became of photos that were under way; without those that still are."""
    ids = literal(list(photo_ids), ARRAY(Uuid))  # one parameter, as a statement takes no more than 65,535 of them
    rows = session.execute(
        select(Photo.id, Stage.state, goal.maker, Photo.deleted_at)
        .join(Stage)
        .where(Stage.name == goal.stage, Photo.id == any_(ids))
    )
    return {
        photo_id: _outcome(state, is_current=maker == goal.current, is_deleted=deleted_at is not None)
        for photo_id, state, maker, deleted_at in rows
        if deleted_at or state not in UNFINISHED
    }


def _outcome(state: str, *, is_current: bool, is_deleted: bool) -> Outcome:
    if is_deleted:
        return Outcome.DELETED
    if state == FAILED:
        return Outcome.FAILED
    return Outcome.REFRESHED if is_current else Outcome.UNCHANGED


def _is_outdated(goal: Goal) -> ColumnElement[bool]:
    return (Stage.name == goal.stage) & (Stage.state == DONE) & Photo.deleted_at.is_(None) & goal.is_missed
