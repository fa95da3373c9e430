"""Which labels are right: those that people see, and beside them the raw network's best class, by the same rule."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from photofleet.catalog.taxonomy import load_taxonomy
from photofleet.settings import LabelSettings
from tests.bench.labels_quality.calibration import Answers
from tests.bench.labels_quality.cases import Case
from workers.label.comparing import softmax
from workers.label.labels import find_labels

BROAD = ("animal", "building", "clothing", "electronics", "food", "furniture", "person", "plant", "tool", "vehicle")
"""Labels that are right, but say too little for a photo to have been found."""

Labels = Mapping[str, float]
"""The confidence of each label, by its id."""


class Judged(NamedTuple):
    """How right the labels of pictures are.

    Attributes:
        labels: Each label that was given: how sure, and whether it says what one of the picture's photos shows, or what
            that is a kind of.
        narrow: The same without the `BROAD` ones.
        found: How many photos have a right label that says enough.
        photos: How many there are.
        pictures: How many pictures they are in.
    """

    labels: Answers
    narrow: Answers
    found: int
    photos: int
    pictures: int


def raw_labels(case: Case, class_ids: Sequence[str | None]) -> Labels:
    """What a network without us would say: the label of its best class in the middle, as sure as it says it is."""
    (shares,) = softmax(case.only_middle().logits)
    class_id = class_ids[int(shares.argmax())]
    return {load_taxonomy().of_class(class_id).id: float(shares.max())} if class_id else {}


def shown_labels(case: Case, class_ids: tuple[str | None, ...], settings: LabelSettings) -> Labels:
    """What people see: labels that reach their thresholds, without those that others of them imply."""
    taxonomy = load_taxonomy()
    stored = find_labels(
        case.logits, class_ids, case.temperature, floor=settings.label_threshold, limit=settings.label_limit
    )
    sure = {one.label_id: one.confidence for one in stored if one.confidence >= taxonomy[one.label_id].threshold}
    implied = frozenset().union(*map(taxonomy.ancestors, sure))
    return {label_id: confidence for label_id, confidence in sure.items() if label_id not in implied}


def judge(cases: Iterable[Case], labels_of: Callable[[Case], Labels]) -> Judged:
    """Hold the labels of pictures against what their photos show."""
    taxonomy = load_taxonomy()
    rows: list[tuple[float, bool, bool]] = []
    found = photos = pictures = 0
    for case in cases:
        labels = labels_of(case)
        right = [{photo.label_id, *taxonomy.ancestors(photo.label_id)} & labels.keys() for photo in case.photos]
        rows += [(labels[one], any(one in of_photo for of_photo in right), _is_broad(one)) for one in labels]
        found += sum(
            any(one == photo.label_id or not _is_broad(one) for one in of_photo)
            for photo, of_photo in zip(case.photos, right, strict=True)
        )
        photos, pictures = photos + len(case.photos), pictures + 1
    confidence, is_right, is_broad = np.array(rows, float).reshape(-1, 3).T
    narrow = is_broad == 0
    return Judged(
        Answers(confidence, is_right > 0),
        Answers(confidence[narrow], is_right[narrow] > 0),
        found,
        photos,
        pictures,
    )


def _is_broad(label_id: str) -> bool:
    return load_taxonomy()[label_id].name in BROAD
