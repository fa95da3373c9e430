"""What people say of labels: that a photo shows something, or does not. Their word stands over any model's."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, Uuid, and_, column, delete, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session, aliased

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

_Pair = tuple[UUID, str]

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

    That they do not show something more general, which somebody had said, is taken back: who sees a corgi sees a dog.

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
    more_general = select(LabelAncestor.ancestor_id).where(LabelAncestor.label_id == label_id)
    said = _said(session, pairs)
    shown = {pair for pair, (_, confidence) in said.items() if confidence >= label.least_confidence}

    session.execute(
        delete(Correction).where(
            Correction.photo_id.in_(photo_ids), Correction.verdict == REMOVED, Correction.label_id.in_(more_general)
        )
    )
    _record(session, {pair: CONFIRMED if pair in shown else ADDED for pair in pairs}, said, person)
    _forget_people(session, pairs)
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
        Correction.photo_id.in_(photo_ids), Correction.verdict == REMOVED, Correction.label_id == label_id
    )
    pairs |= {(photo_id, label_id) for photo_id in set(photo_ids).difference(session.scalars(earlier))}

    _record(session, dict.fromkeys(pairs, REMOVED), _said(session, pairs), person)
    session.execute(delete(PhotoLabel).where(borne))


def take_back(session: Session, photo_ids: Collection[UUID], label_id: str) -> None:
    """Forget what was said of a label on photos, as if nobody had: what a model had said of it counts again.

    That is so if it is the model that labelled the photo last; of what another would have said nothing is known.

    With a label that was removed, its kinds come back that went with it. Where nothing was said, nothing changes, nor
    where it goes without saying, as the photo does not show something more general.

    Args:
        session: The transaction. The photos' rows are locked in it.
        photo_ids: The photos, at least one.
        label_id: What was said to be there, or not to be.

    Raises:
        UnknownPhotosError: if one of the photos is not there.
        UnknownLabelError: if there is no such label.
    """
    _known(session, photo_ids, label_id)
    its, same = aliased(Correction), aliased(Correction)
    together = and_(
        same.verdict == REMOVED, its.verdict == REMOVED, same.at == its.at, same.label_id.in_(_kinds(label_id))
    )
    corrections = session.scalars(
        select(same)
        .join(its, and_(its.photo_id == same.photo_id, its.label_id == label_id))
        .where(its.photo_id.in_(photo_ids), (same.label_id == label_id) | together)
    ).all()
    pairs = {(one.photo_id, one.label_id) for one in corrections}
    pairs -= _implied(session, pairs)
    _forget_people(session, pairs)
    restored = (
        select(Correction.photo_id, Correction.label_id, Correction.source, Correction.confidence)
        .join(Photo, and_(Photo.id == Correction.photo_id, Photo.labels_source == Correction.source))
        .where(_among(Correction, pairs))
    )
    columns = ("photo_id", "label_id", "source", "confidence")
    session.execute(insert(PhotoLabel).from_select(columns, restored).on_conflict_do_nothing())
    session.execute(delete(Correction).where(_among(Correction, pairs)))


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


def _said(session: Session, pairs: Collection[_Pair]) -> dict[_Pair, tuple[str, float]]:
    """What the surest model says, or had said before a person had it removed: its name and how sure it was."""
    before = session.execute(
        select(Correction.photo_id, Correction.label_id, Correction.source, Correction.confidence).where(
            _among(Correction, pairs)
        )
    )
    now = session.execute(
        select(PhotoLabel.photo_id, PhotoLabel.label_id, PhotoLabel.source, PhotoLabel.confidence)
        .where(_among(PhotoLabel, pairs), ~PhotoLabel.source.startswith(PERSON))
        .order_by(PhotoLabel.confidence)
    )
    return {
        (photo, label): (source, confidence)
        for photo, label, source, confidence in (*before, *now)
        if source is not None and confidence is not None
    }


def _record(session: Session, verdicts: dict[_Pair, str], said: dict[_Pair, tuple[str, float]], person: str) -> None:
    if not verdicts:
        return
    rows = []
    for (photo, label), verdict in verdicts.items():
        source, confidence = said.get((photo, label), (None, None))
        row = {"photo_id": photo, "label_id": label, "verdict": verdict, "person": person}
        rows.append(row | {"source": source, "confidence": confidence})
    upsert = insert(Correction)
    changes = {name: upsert.excluded[name] for name in ("verdict", "person", "source", "confidence")}
    session.execute(
        upsert.on_conflict_do_update(
            index_elements=[Correction.photo_id, Correction.label_id], set_=changes | {"at": func.now()}
        ),
        rows,
    )


def _forget_people(session: Session, pairs: Collection[_Pair]) -> None:
    session.execute(delete(PhotoLabel).where(_among(PhotoLabel, pairs), PhotoLabel.source.startswith(PERSON)))


def _implied(session: Session, pairs: Collection[_Pair]) -> set[_Pair]:
    """Those of the labels on photos that are kinds of what is said not to be there, and not among them itself."""
    rows = session.execute(
        select(Correction.photo_id, Correction.label_id, LabelAncestor.label_id)
        .join(LabelAncestor, LabelAncestor.ancestor_id == Correction.label_id)
        .where(
            Correction.verdict == REMOVED,
            Correction.photo_id.in_({photo for photo, _ in pairs}),
            LabelAncestor.label_id.in_({label for _, label in pairs}),
        )
    )
    return {(photo, kind) for photo, general, kind in rows if (photo, general) not in pairs}


def _among(table: type[PhotoLabel] | type[Correction], pairs: Collection[_Pair]) -> ColumnElement[bool]:
    """Two parameters, however many pairs there are: a statement can have no more than 65,535."""
    photos = literal([photo for photo, _ in pairs], ARRAY(Uuid))
    labels = literal([label for _, label in pairs], ARRAY(Text))
    wanted = func.unnest(photos, labels).table_valued(column("photo", Uuid), column("label", Text)).render_derived()
    return tuple_(table.photo_id, table.label_id).in_(select(wanted.c.photo, wanted.c.label))
