import numpy as np
import pytest
from numpy.typing import NDArray

from photofleet.catalog.results import FoundLabel
from workers.label.labels import class_ids, top_labels


def scores(**by_id: float) -> NDArray[np.float32]:
    array = np.zeros(1000, np.float32)
    for label_id, score in by_id.items():
        array[class_ids().index(label_id)] = score
    return array


def test_the_classes_are_those_of_ilsvrc2012_in_its_order() -> None:
    ids = class_ids()

    assert len(set(ids)) == 1000
    assert list(ids) == sorted(ids)
    assert (ids[0], ids[281], ids[999]) == ("n01440764", "n02123045", "n15075141")  # tench, tabby, toilet tissue


def test_labels_come_with_their_confidence_the_surest_first() -> None:
    row = scores(n02123045=0.25, n02113023=0.5)

    assert top_labels(row, threshold=0.1, limit=5) == [FoundLabel("n02113023", 0.5), FoundLabel("n02123045", 0.25)]


def test_a_label_at_the_threshold_is_kept_and_one_below_is_not() -> None:
    row = scores(n02123045=0.25, n02113023=0.5)

    assert [label.label_id for label in top_labels(row, threshold=0.5, limit=5)] == ["n02113023"]


def test_there_are_no_more_labels_than_the_limit() -> None:
    row = scores(n02123045=0.3, n02113023=0.4, n07873807=0.2)

    assert [label.confidence for label in top_labels(row, threshold=0, limit=2)] == pytest.approx([0.4, 0.3])


def test_nothing_sure_enough_is_no_label() -> None:
    assert top_labels(scores(n02123045=0.1), threshold=0.2, limit=5) == []


def test_a_network_gone_wrong_labels_nothing() -> None:
    assert top_labels(np.full(1000, np.nan, np.float32), threshold=0.1, limit=5) == []


def test_scores_of_another_number_of_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 1000 scores, not an array of shape \(21843,\)"):
        top_labels(np.zeros(21843, np.float32), threshold=0.1, limit=5)
