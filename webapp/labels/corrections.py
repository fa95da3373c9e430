"""What somebody says of labels on photos, recorded in one transaction."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from uuid import UUID

from photofleet.catalog.corrections import add_label, remove_label, take_back
from photofleet.catalog.database import transaction
from photofleet.catalog.models import Label
from photofleet.catalog.vocabulary import label_called
from webapp.owner import EVERYBODY

MOST_PHOTOS = 200
"""At once, as their rows are locked until all are done."""

MOST_CORRECTIONS = 1_000
"""At once, photos times labels, for the same reason."""

MOST_BYTES = 64 * 1024
"""Of a request that says so: as many photos' ids take 8 kB."""


LONGEST_WORDS = 100
"""For one label; none has so many."""


class Say(StrEnum):
    """What can be said of a label on a photo: that it is there, that it is not, or nothing any more."""

    ADD = "add"
    REMOVE = "remove"
    TAKE_BACK = "take-back"


def correct(photo_ids: Collection[UUID], said: Iterable[tuple[Say, str]]) -> list[Label]:
    """Record what is said of labels on photos: all of it or, if a part is wrong, nothing.

    Args:
        photo_ids: The photos, at least one.
        said: What is said, and of which label: words, or its id.

    Returns:
        The labels, in the same order.

    Raises:
        UnclearLabelError: if words mean no label, or more than one.
        UnknownPhotosError: if one of the photos is not there.
        TooManyLabelsError: if one of the photos would bear more labels of people than it can.
    """
    labels = []
    with transaction() as session:
        for say, words in said:
            label = label_called(session, words)
            labels.append(label)
            if say == Say.ADD:
                add_label(session, photo_ids, label.id, person=EVERYBODY)
            elif say == Say.REMOVE:
                remove_label(session, photo_ids, label.id, person=EVERYBODY)
            else:
                take_back(session, photo_ids, label.id)
    return labels
