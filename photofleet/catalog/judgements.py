"""What people have said of labels, read back: on one photo, as a training set, and as a measure of the models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from photofleet.catalog.models import (
    ADDED,
    CONFIRMED,
    REMOVED,
    Correction,
    Label,
    Photo,
)
from photofleet.catalog.photos import visible_photos
from photofleet.catalog.verdicts import BY_ITS_MODEL

_BATCH = 500


@dataclass(frozen=True)
class Judged:
    """A label with what people said of it.

    Attributes:
        label: The label.
        right: How often they confirmed it where a model was sure enough to show it, or added what it had said.
        wrong: How often they removed it there.
        missed: How often they added it where no model had said so, or none had been sure enough.
    """

    label: Label
    right: int
    wrong: int
    missed: int


def corrections_of(session: Session, photo_id: UUID) -> Sequence[tuple[Correction, Label]]:
    """What people have said of a photo, by label, the newest first; without what went with that, unnamed."""
    rows = session.execute(
        select(Correction, Label)
        .join(Label, Label.id == Correction.label_id)
        .where(Correction.photo_id == photo_id, Correction.removed_with.is_(None))
        .order_by(Correction.at.desc(), Label.name)
    )
    return [(correction, label) for correction, label in rows]


def all_corrections(session: Session) -> Iterator[tuple[Correction, Label]]:
    """Every correction of a photo that anybody may see, the oldest photo first, read as it is asked for."""
    rows = session.execute(
        select(Correction, Label)
        .join(Label, Label.id == Correction.label_id)
        .where(Correction.photo_id.in_(visible_photos().with_only_columns(Photo.id)))
        .order_by(Correction.photo_id, Correction.label_id)
        .execution_options(yield_per=_BATCH)
    )
    return ((correction, label) for correction, label in rows)


def judged_labels(session: Session) -> Sequence[Judged]:
    """The labels of which people have said something or whose threshold an operator has set; most often wrong first.

    A model counts as having shown a label where it was as sure of it as the threshold in force asks for, so that the
    numbers say how right the labels are that are shown now (see `telling_corrections`).
    """
    said = telling_corrections().subquery()
    shown = func.coalesce(said.c.confidence >= Label.least_confidence, False)
    right = func.count().filter(said.c.verdict.in_((ADDED, CONFIRMED)), shown)
    wrong = func.count().filter(said.c.verdict == REMOVED, shown)
    missed = func.count().filter(said.c.verdict.in_((ADDED, CONFIRMED)), ~shown)
    rows = session.execute(
        select(Label, right, wrong, missed)
        .join(said, said.c.label_id == Label.id, isouter=True)
        .where(or_(said.c.label_id.is_not(None), Label.adjusted_threshold.is_not(None)))
        .group_by(Label.id)
        .order_by(wrong.desc(), missed.desc(), right.desc(), Label.name)
    )
    return [Judged(*row) for row in rows]


def telling_corrections() -> Select[str, str, float | None]:
    """The label, verdict and model's confidence of the corrections that tell how right the labels are that there are.

    They are of photos that anybody may see. What was said of another model than the one that labelled the photo last
    tells nothing of that one.
    """
    return (
        visible_photos()
        .join(Correction, Correction.photo_id == Photo.id)
        .where(or_(Correction.source.is_(None), BY_ITS_MODEL))
        .with_only_columns(Correction.label_id, Correction.verdict, Correction.confidence)
    )
