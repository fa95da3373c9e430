from pathlib import Path

import numpy as np
import pytest

from photofleet.catalog.taxonomy import load_taxonomy
from photofleet.settings import LabelSettings
from tests.bench.labels_quality.calibration import fit_temperature, held_out_temperatures
from tests.bench.labels_quality.cases import Case
from tests.bench.labels_quality.judging import judge, raw_labels, shown_labels
from tests.bench.labels_quality.photos import LabelledPhoto
from workers.label.imagenet import class_ids

CLASSES = tuple(class_ids())
BEAGLE, PUG, PIZZA, TUSKER, SUNGLASSES = "n02088364", "n02110958", "n07873807", "n01871265", "n04356056"
IDS = {label.name: label.id for label in load_taxonomy()}


def case(*squares: dict[str, float], of: tuple[str, ...], temperature: float = 1) -> Case:
    """A picture of these classes, with what the network gives to classes in each square."""
    shares = np.full((len(squares), len(CLASSES)), 1e-9, np.float32)
    for row, square in zip(shares, squares, strict=True):
        row[CLASSES.index("n06359193")] = 1 - sum(square.values())  # a website, which is never shown
        for class_id, share in square.items():
            row[CLASSES.index(class_id)] = share
    return Case([LabelledPhoto(Path("photo"), class_id) for class_id in of], np.log(shares), temperature)


def raw(given: Case) -> dict[str, float]:
    return dict(raw_labels(given, CLASSES))


def shown(given: Case) -> dict[str, float]:
    return dict(shown_labels(given, CLASSES, LabelSettings()))


def test_the_raw_network_is_judged_by_the_rule_for_what_is_shown() -> None:
    merged = case({"n04355933": 0.9}, of=(SUNGLASSES,))  # a class that people call by the same name

    for labels_of in (raw, shown):
        judged = judge([merged], labels_of)
        assert judged.labels.right.tolist() == [True]
        assert judged.found == judged.photos == 1


def test_the_raw_network_says_its_best_class_of_the_middle_however_unsure_it_is() -> None:
    assert raw(case({PIZZA: 0.9}, {BEAGLE: 0.6}, {}, of=(BEAGLE,))) == {BEAGLE: pytest.approx(0.6)}
    assert raw(case({BEAGLE: 0.2, PUG: 0.1}, of=(BEAGLE,))).keys() != shown(case({BEAGLE: 0.2}, of=(BEAGLE,))).keys()


def test_only_labels_that_reach_their_thresholds_are_shown_and_none_that_another_implies() -> None:
    assert shown(case({BEAGLE: 0.6, PUG: 0.35}, of=(BEAGLE,))) == {BEAGLE: pytest.approx(0.6)}
    assert shown(case({BEAGLE: 0.45, PUG: 0.45}, of=(BEAGLE,))) == {IDS["dog"]: pytest.approx(0.9)}


def test_labels_are_shown_at_the_temperature_of_their_case() -> None:
    unsure = case({BEAGLE: 0.4}, of=(BEAGLE,))

    assert shown(unsure) == {}
    assert shown(case({BEAGLE: 0.55}, of=(BEAGLE,), temperature=0.5))[BEAGLE] == pytest.approx(0.6, abs=0.01)


def test_what_a_photo_is_a_kind_of_is_right_but_a_photo_is_not_found_by_what_is_broad() -> None:
    dog = judge([case({BEAGLE: 0.45, PUG: 0.45}, of=(BEAGLE,))], shown)
    animal = judge([case({BEAGLE: 0.45, "n02129165": 0.45}, of=(BEAGLE,))], shown)  # or a lion

    assert (dog.labels.right.tolist(), dog.narrow.right.tolist(), dog.found) == ([True], [True], 1)
    assert (animal.labels.right.tolist(), animal.narrow.right.tolist(), animal.found) == ([True], [], 0)


def test_every_label_is_held_with_its_confidence_against_all_that_a_picture_shows() -> None:
    panorama = case({PIZZA: 0.9}, {}, {TUSKER: 0.96}, of=(PIZZA, BEAGLE))

    judged = judge([panorama], shown)

    assert dict(zip(judged.labels.confidence.round(2).tolist(), judged.labels.right.tolist(), strict=True)) == {
        0.89: False,
        0.75: True,
    }
    assert (judged.found, judged.photos, judged.pictures) == (1, 2, 1)


def test_a_photo_without_labels_is_not_found() -> None:
    judged = judge([case({}, of=(BEAGLE,))], shown)

    assert (len(judged.labels.right), judged.found, judged.photos) == (0, 0, 1)


def test_the_temperature_for_a_photo_is_fitted_on_photos_of_the_other_half_alone() -> None:
    random = np.random.default_rng(0)
    logits, classes = random.normal(size=(40, 3, 5)), random.integers(0, 5, 40)
    logits[np.arange(40), :, classes] += np.where(np.arange(40) % 2, 0.5, 4)[:, None]

    temperatures = held_out_temperatures(logits, classes)

    of_even, of_odd = (fit_temperature(np.concatenate(logits[h::2]), classes[h::2].repeat(3)) for h in (0, 1))
    assert of_even < of_odd
    assert temperatures.tolist() == [of_odd, of_even] * 20
