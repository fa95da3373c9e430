"""What people say of labels: that a photo shows something, or does not. Their word stands over any model's."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Select, and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from photofleet.catalog.models import (
    ADDED,
    CONFIRMED,
    PERSON,
    REMOVED,
    Correction,
    Label,
    LabelAncestor,
    Photo,
    PhotoLabel,
)
from photofleet.catalog.photos import visible_photos
from photofleet.catalog.verdicts import forget_people, machine_words, record, withdraw

MOST_LABELS = 50
"""That people can say a photo shows, as each page with the photo bears them all."""


class UnknownPhotosError(LookupError):
    """Some of the photos are not there, or not any more; nothing was changed."""

    def __init__(self, photo_ids: Collection[UUID]) -> None:
        super().__init__(f"There is no photo {', '.join(map(str, sorted(photo_ids)))}. It may have been deleted.")


class UnknownLabelError(LookupError):
    """No label has this id; nothing was changed."""

    def __init__(self, label_id: str) -> None:
        super().__init__(f"There is no label with the id {label_id}.")


class TooManyLabelsError(Exception):
    """People have said of some of the photos that they show as much as can be said; nothing was changed."""

    def __init__(self, photo_ids: Collection[UUID]) -> None:
        super().__init__(
            f"People can say at most {MOST_LABELS} labels of a photo, and have of {', '.join(map(str, photo_ids))}. "
            "Take one back first."
        )


def add_label(session: Session, photo_ids: Collection[UUID], label_id: str, *, person: str) -> None:
    """Record that photos show something: it is confirmed where a model has shown it, too, and added elsewhere.

    That they do not show it or something more general, which somebody had said, is taken back: who sees a corgi sees a
    dog.

    Args:
        session: The transaction. The photos' rows are locked in it.
        photo_ids: The photos, at least one.
        label_id: What they show.
        person: Who says so.

    Raises:
        UnknownPhotosError: if one of the photos is not there.
        UnknownLabelError: if there is no such label.
        TooManyLabelsError: if people have said MOST_LABELS others of one of the photos.
    """
    label = _known(session, photo_ids, label_id)
    if full := _full(session, photo_ids, label_id):
        raise TooManyLabelsError(full)
    pairs = {(photo_id, label_id) for photo_id in photo_ids}
    said = machine_words(session, pairs)
    shown = {pair for pair, (_, confidence) in said.items() if confidence >= label.least_confidence}

    more_general = select(LabelAncestor.ancestor_id).where(LabelAncestor.label_id == label_id)
    denies = or_(Correction.said_of == label_id, Correction.said_of.in_(more_general))
    withdraw(session, Correction.photo_id.in_(photo_ids), Correction.verdict == REMOVED, denies)
    verdicts = {pair: CONFIRMED if pair in shown else ADDED for pair in pairs}
    record(session, verdicts, said_of=label_id, said=said, person=person)
    forget_people(session, pairs)
    rows = [{"photo_id": photo, "label_id": label_id, "source": PERSON + person, "confidence": 1} for photo, _ in pairs]
    session.execute(insert(PhotoLabel).values(rows))  # one statement, since a trigger works at the end of each


def remove_label(session: Session, photo_ids: Collection[UUID], label_id: str, *, person: str) -> None:
    """Record that photos do not show something, nor any kind of it: it goes, whoever said so, and does not come back.

    Args:
        session: The transaction. The photos' rows are locked in it.
        photo_ids: The photos, at least one.
        label_id: What they do not show.
        person: Who says so.

    Raises:
        UnknownPhotosError: if one of the photos is not there.
        UnknownLabelError: if there is no such label.
    """
    _known(session, photo_ids, label_id)
    borne = and_(PhotoLabel.photo_id.in_(photo_ids), PhotoLabel.label_id.in_(_kinds(label_id)))
    there = session.execute(select(PhotoLabel.photo_id, PhotoLabel.label_id).where(borne))
    pairs = {(photo, label) for photo, label in there}
    earlier = select(Correction.photo_id).where(
        Correction.photo_id.in_(photo_ids),
        Correction.verdict == REMOVED,
        Correction.label_id == label_id,
        Correction.removed_with.is_(None),
    )
    pairs |= {(photo_id, label_id) for photo_id in set(photo_ids).difference(session.scalars(earlier))}

    said = machine_words(session, pairs)
    record(session, dict.fromkeys(pairs, REMOVED), said_of=label_id, said=said, person=person)
    session.execute(delete(PhotoLabel).where(borne))


def take_back(session: Session, photo_ids: Collection[UUID], label_id: str) -> None:
    """Forget what was said of a label on photos, as if nobody had: what a model had said of it counts again.

    That is so if it is the model that labelled the photo last; of what another would have said nothing is known.

    With a label that was removed, its kinds come back that went with it, unless they are kinds of something else that
    was removed. Where nothing was said, nothing changes, nor where it goes without saying, as the photo does not show
    something more general.

    Args:
        session: The transaction. The photos' rows are locked in it.
        photo_ids: The photos, at least one.
        label_id: What was said to be there, or not to be.

    Raises:
        UnknownPhotosError: if one of the photos is not there.
        UnknownLabelError: if there is no such label.
    """
    _known(session, photo_ids, label_id)
    withdraw(session, Correction.photo_id.in_(photo_ids), Correction.said_of == label_id)


def _known(session: Session, photo_ids: Collection[UUID], label_id: str) -> Label:
    """The label, once the photos' rows are locked, so that no model labels them meanwhile.

    They are locked in an order in which no two wait for each other.
    """
    wanted = visible_photos().with_only_columns(Photo.id).where(Photo.id.in_(photo_ids)).order_by(Photo.id)
    if missing := set(photo_ids).difference(session.scalars(wanted.with_for_update(key_share=True))):
        raise UnknownPhotosError(missing)
    if (label := session.get(Label, label_id)) is None:
        raise UnknownLabelError(label_id)
    return label


def _full(session: Session, photo_ids: Collection[UUID], label_id: str) -> Sequence[UUID]:
    """Those of the photos of which people cannot say a label more than they have."""
    return session.scalars(
        select(PhotoLabel.photo_id)
        .where(
            PhotoLabel.photo_id.in_(photo_ids),
            PhotoLabel.source.startswith(PERSON),
            PhotoLabel.label_id != label_id,
        )
        .group_by(PhotoLabel.photo_id)
        .having(func.count(PhotoLabel.label_id.distinct()) >= MOST_LABELS)
        .order_by(PhotoLabel.photo_id)
    ).all()


def _kinds(label_id: str) -> Select[str]:
    """The label and its kinds; itself also where it has left the taxonomy."""
    kinds = select(LabelAncestor.label_id).where(LabelAncestor.ancestor_id == label_id)
    return select(Label.id).where((Label.id == label_id) | Label.id.in_(kinds))
