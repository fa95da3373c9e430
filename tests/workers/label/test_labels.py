from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from photofleet.catalog.taxonomy import load_taxonomy
from workers.label.imagenet import class_ids
from workers.label.labels import find_labels, temperature_of

NAMES = {label.name: label.id for label in load_taxonomy()}
CLASSES = tuple(class_ids())
SILENT = "website"


def logits(shares: Mapping[str, float], *, classes: Sequence[str | None] = CLASSES) -> NDArray[np.float32]:
    """What a network says that gives classes, by name or id, these shares, and the rest to what is never said."""
    row = np.full(len(classes), 1e-9, np.float32)
    for name, share in {SILENT: 1 - sum(shares.values()), **shares}.items():
        row[list(classes).index(NAMES.get(name, name))] = share
    return np.log(row)


def kept(*crops: Mapping[str, float], floor: float = 0.05, limit: int = 5) -> dict[str, float]:
    """All labels, by name."""
    labels = find_labels(np.stack([logits(crop) for crop in crops]), CLASSES, 1, floor=floor, limit=limit)
    return {load_taxonomy()[label.label_id].name: round(label.confidence, 2) for label in labels}


def found(*crops: Mapping[str, float], **thresholds: float) -> dict[str, float]:
    """Those that are shown, if operators have set these thresholds, without what goes without saying."""
    taxonomy = load_taxonomy()
    labels = {name: confidence for name, confidence in kept(*crops).items() if confidence >= least(name, thresholds)}
    implied = {taxonomy[above].name for name in labels for above in taxonomy.ancestors(NAMES[name])}
    return {name: confidence for name, confidence in labels.items() if name not in implied}


def least(name: str, thresholds: Mapping[str, float]) -> float:
    return thresholds.get(name, load_taxonomy()[NAMES[name]].threshold)


def test_a_class_of_which_the_network_is_sure_is_the_label() -> None:
    assert found({"beagle": 0.9}) == {"beagle": 0.9}


def test_what_is_less_sure_is_kept_from_the_floor_on_for_when_thresholds_are_lowered() -> None:
    labels = kept({"pizza": 0.6, "pug": 0.2, "menu": 0.03})

    assert labels == {"pizza": 0.6, "dish": 0.6, "food": 0.6, "pug": 0.2, "dog": 0.2, "animal": 0.2}
    assert kept({"pizza": 0.6, "pug": 0.2}, floor=0.3) == {"pizza": 0.6, "dish": 0.6, "food": 0.6}


def test_there_are_no_more_labels_than_the_limit_and_these_are_the_surest() -> None:
    labels = kept({"tench": 0.1, "pizza": 0.6, "volcano": 0.2}, limit=2)

    assert labels == {"pizza": 0.6, "dish": 0.6, "food": 0.6, "volcano": 0.2, "mountain": 0.2}


def test_many_likely_kinds_of_a_thing_are_that_thing() -> None:
    terriers = ("Airedale terrier", "cairn terrier", "Border terrier", "Irish terrier", "Norfolk terrier")

    assert found(dict.fromkeys(terriers, 0.12)) == {"terrier": 0.6}


def test_of_the_things_that_all_likely_kinds_are_the_most_specific_is_given() -> None:
    assert found({"cairn terrier": 0.2, "golden retriever": 0.2, "pug": 0.2, "tabby cat": 0.2}) == {"dog": 0.6}


def test_where_a_threshold_is_raised_what_a_thing_is_a_kind_of_stays() -> None:
    photo = {"pug": 0.6, "beagle": 0.35}

    assert found(photo) == {"pug": 0.6}
    assert found(photo, pug=0.7) == {"dog": 0.95}
    assert found(photo, pug=0.7, dog=0.99) == {"animal": 0.95}


def test_where_a_threshold_is_lowered_what_has_likely_kinds_is_shown() -> None:
    terriers = ("Airedale terrier", "cairn terrier", "Border terrier", "Irish terrier", "Norfolk terrier")
    photo = dict.fromkeys(terriers, 0.04)

    assert found(photo) == {}
    assert found(photo, terrier=0.2) == {"terrier": 0.2}
    assert found(photo, dog=0.2) == {"dog": 0.2}


def test_words_that_nobody_would_put_below_a_picture_are_passed_over() -> None:
    labels = found({"zebra": 0.45, "hippopotamus": 0.4})  # hoofed mammals

    assert labels == {"animal": 0.85}
    assert "hoofed mammal" not in kept({"zebra": 0.45, "hippopotamus": 0.4})


def test_what_a_class_is_merged_into_is_as_sure_as_both() -> None:
    labels = kept({"African elephant": 0.7, "n01871265": 0.2})  # a tusker, which is merged into the elephants

    assert labels == {"elephant": 0.9, "animal": 0.9, "African elephant": 0.7}


def test_classes_that_people_do_not_tell_apart_are_one_label() -> None:
    assert found({"sunglasses": 0.4, "n04355933": 0.4}) == {"sunglasses": 0.8}


def test_what_is_never_of_use_is_never_said() -> None:
    assert kept({"website": 0.9}) == {}


def test_what_would_hurt_takes_more_to_stand_for_its_kind_too() -> None:
    labels = found({"gorilla": 0.35, "chimpanzee": 0.35})

    assert {"primate", "ape"}.isdisjoint(labels)


def test_every_crop_has_its_say_and_the_one_that_is_surest_counts() -> None:
    labels = found({"pizza": 0.9}, {"pizza": 0.6, "beagle": 0.3}, {"beagle": 0.8})

    assert labels == {"pizza": 0.75, "beagle": 0.57}


def test_the_middle_is_believed_and_the_sides_are_doubted_as_they_show_pieces_of_things() -> None:
    assert found({}, {"pizza": 0.8}, {}) == {"pizza": 0.8}
    assert found({"pizza": 0.8}, {}, {}) == found({}, {}, {"pizza": 0.8}) == {"pizza": 0.57}  # of odds 4, a third


def test_confidences_of_a_kind_are_summed_up_within_a_crop_only() -> None:
    labels = kept({"cairn terrier": 0.4}, {}, {"Irish terrier": 0.4})

    assert labels == dict.fromkeys(("cairn terrier", "Irish terrier", "terrier", "dog", "animal"), 0.18)


def test_the_temperature_makes_a_network_surer_or_less_sure() -> None:
    row = logits({"pizza": 0.6, "burrito": 0.3})[None]

    def confidence_of_pizza(temperature: float) -> float:
        labels = find_labels(row, CLASSES, temperature, floor=0, limit=1)
        return next(label.confidence for label in labels if label.label_id == NAMES["pizza"])

    surer, as_it_says, less_sure = map(confidence_of_pizza, (0.5, 1, 1.1))

    assert surer > as_it_says > less_sure
    assert as_it_says == pytest.approx(0.6)


def test_a_network_with_other_classes_is_understood_as_well() -> None:
    classes = (NAMES["dog"], None, NAMES["pug"], NAMES[SILENT])
    row = logits({"pug": 0.3, "dog": 0.4}, classes=classes)[None]

    labels = find_labels(row, classes, 1, floor=0.05, limit=5)

    assert {label.label_id: round(label.confidence, 2) for label in labels} == {
        NAMES["dog"]: 0.7,
        NAMES["animal"]: 0.7,
        NAMES["pug"]: 0.3,
    }


def test_confidences_never_exceed_1() -> None:
    row = np.where(np.array([class_id.startswith("n020") for class_id in CLASSES]), 0, -100).astype(np.float32)

    assert all(label.confidence <= 1 for label in find_labels(row[None], CLASSES, 1, floor=0, limit=20))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_network_gone_wrong_is_an_error_and_not_a_photo_of_nothing(wrong: float) -> None:
    row = logits({"beagle": 0.9})
    row[7] = wrong
    with pytest.raises(ValueError, match="not all of its logits are numbers"):
        find_labels(row[None], CLASSES, 1, floor=0, limit=5)


def test_logits_of_another_number_of_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 1000 logits of each crop, not an array of shape \(1, 21843\)"):
        find_labels(np.zeros((1, 21843), np.float32), CLASSES, 1, floor=0.1, limit=5)


def test_the_classes_are_those_of_ilsvrc2012_in_its_order() -> None:
    assert len(set(CLASSES)) == 1000
    assert list(CLASSES) == sorted(CLASSES)
    assert (CLASSES[0], CLASSES[281], CLASSES[999]) == ("n01440764", "n02123045", "n15075141")  # tench, tabby, tissue


def test_a_model_whose_confidences_were_never_measured_is_taken_at_its_word() -> None:
    assert temperature_of("efficientnet_lite2", "000000000000") == temperature_of("resnet50", "11ad3fa6a1f4") == 1
