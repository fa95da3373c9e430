"""The confidence from which a label is shown: what an operator sets it to, and what follows from that."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from photofleet.catalog.judgements import telling_corrections
from photofleet.catalog.models import REMOVED, Label, Photo, PhotoLabel
from photofleet.catalog.photos import visible_photos
from photofleet.catalog.searchable import outdate


@dataclass(frozen=True)
class Prospect:
    """What a label would be like if it were shown from a confidence on.

    Attributes:
        threshold: That confidence, 0 to 1.
        photos: How many photos that anybody may see would show it.
        right: How often people said that it is there where a model had been as sure.
        wrong: How often they removed it there.
    """

    threshold: float
    photos: int
    right: int
    wrong: int


def get_label(session: Session, label_id: str) -> Label | None:
    """The label with this id, whatever somebody has put there; None if there is none."""
    return session.get(Label, label_id.replace("\0", ""))  # which no database can be asked for


def adjust_threshold(session: Session, label_id: str, threshold: float | None) -> None:
    """Show a label from another confidence on, 0 to 1, or, with None, from the one that the taxonomy says.

    It counts at once wherever labels are shown, and once `bring_up_to_date` has been called where they are searched.
    """
    session.execute(update(Label).where(Label.id == label_id).values(adjusted_threshold=threshold))
    outdate(session, {label_id})


def prospects(session: Session, label_id: str, thresholds: Sequence[float]) -> Sequence[Prospect]:
    """What the label would be like, shown from each of these confidences on."""
    surest = (
        select(func.max(PhotoLabel.confidence).label("confidence"))
        .where(PhotoLabel.label_id == label_id)
        .where(PhotoLabel.photo_id.in_(visible_photos().with_only_columns(Photo.id)))
        .group_by(PhotoLabel.photo_id)
        .subquery()
    )
    told = telling_corrections().subquery()
    wrong = told.c.verdict == REMOVED
    photos = select(*(func.count().filter(surest.c.confidence >= threshold) for threshold in thresholds))
    judged = select(
        *(func.count().filter(told.c.confidence >= threshold, ~wrong) for threshold in thresholds),
        *(func.count().filter(told.c.confidence >= threshold, wrong) for threshold in thresholds),
    ).where(told.c.label_id == label_id)

    shown = session.execute(photos.select_from(surest)).one()
    said = session.execute(judged).one()
    return [
        Prospect(*row) for row in zip(thresholds, shown, said[: len(thresholds)], said[len(thresholds) :], strict=True)
    ]
