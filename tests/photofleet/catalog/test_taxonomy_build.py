from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from photofleet.catalog.taxonomy import SILENCED, TaxonomyLabel, format_taxonomy, parse_taxonomy
from photofleet.catalog.taxonomy_build import BuildError, Edits, Synset, build_taxonomy, digests, read_nouns

# Two lines of WordNet as WordNet writes them, and one with a number of words (0a, hexadecimal) and instances (@i).
DATA_NOUN = """\
  1 This software and database is being provided to you, the LICENSEE, by
02084071 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 003 @ 02083346 n 0000 @ 01317541 n 0000 #m 02083863 n 0000 | a
02113023 05 n 02 Pembroke 0 Pembroke_Welsh_corgi 0 001 @ 02112826 n 0000 | the smaller | and straight-legged variety
09217230 17 n 0a a 0 b 0 c 0 d 0 e 0 f 0 g 0 h 0 i 0 sandy_beach 1 002 @i 09287968 n 0000 + 01978700 v 0101 | an area
"""

ANIMAL = {
    "n01": Synset(["entity"], []),
    "n02": Synset(["animal", "beast"], ["n01"]),
    "n03": Synset(["canine", "canid"], ["n02"]),
    "n04": Synset(["domestic animal"], ["n02"]),
    "n05": Synset(["dog", "Canis familiaris"], ["n03", "n04"]),
    "n06": Synset(["hunting dog"], ["n05"]),
    "n07": Synset(["beagle"], ["n06", "n02"]),
    "n08": Synset(["Beagle"], ["n01"]),
}


def build(classes: Sequence[str], **tables: Any) -> dict[str, TaxonomyLabel]:
    """Build labels; what is not given edits nothing, and what is kept has a category."""
    given: dict[str, Any] = {name: tables.get(name, {}) for name in ("ancestors", "names", "parents", "merged")}
    given |= {name: tables.get(name, {}) for name in ("people", "also", "never")}
    kept = {*classes, *given["ancestors"], *given["people"]}.difference(given["merged"])
    given["categories"] = tables.get("categories", {label_id: ["Animals"] for label_id in kept})
    given["thresholds"] = tables.get("thresholds", {"default": 0.5})
    given["silenced"] = tables.get("silenced", [])
    return {label.id: label for label in build_taxonomy(classes, ANIMAL, Edits(**given))}


def test_words_and_parents_are_read_from_wordnet(tmp_path: Path) -> None:
    path = tmp_path / "data.noun"
    path.write_text(DATA_NOUN)

    assert read_nouns(path) == {
        "n02084071": Synset(["dog", "domestic dog", "Canis familiaris"], ["n02083346", "n01317541"]),
        "n02113023": Synset(["Pembroke", "Pembroke Welsh corgi"], ["n02112826"]),
        "n09217230": Synset([*"abcdefghi", "sandy beach"], ["n09287968"]),
    }


def test_ancestors_that_are_not_kept_are_bridged() -> None:
    labels = build(["n07"], ancestors={"n02": "animal", "n05": "dog"})

    assert list(labels) == ["n02", "n05", "n07"]
    assert labels["n05"].parents == ("n02",)
    assert labels["n02"].parents == ()


def test_a_parent_that_another_parent_implies_is_left_out() -> None:
    assert build(["n07"], ancestors={"n02": "animal", "n05": "dog"})["n07"].parents == ("n05",)


def test_a_label_may_have_several_parents() -> None:
    labels = build(["n05"], ancestors={"n02": "animal", "n03": "canine", "n04": "pet"})

    assert labels["n05"].parents == ("n03", "n04")


def test_edits_name_place_add_and_take_away() -> None:
    label = build(
        ["n05"],
        ancestors={"n02": "animal"},
        names={"n05": "hound"},
        parents={"n05": []},
        also={"n05": ["puppy"]},
        never={"n05": ["Canis familiaris"]},
    )["n05"]

    assert label == TaxonomyLabel("n05", "hound", ("dog", "puppy"), (), categories=("Animals",))


def test_the_place_of_a_synset_that_is_not_kept_can_be_changed_too() -> None:
    labels = build(["n07"], ancestors={"n04": "domestic animal"}, parents={"n06": ["n04"]})

    assert labels["n07"].parents == ("n04",)


def test_what_only_people_say_is_a_label_with_the_words_of_the_edits_alone() -> None:
    labels = build(["n05"], ancestors={"n02": "animal"}, people={"n07": ["sniffer", "snoopy"]})

    assert labels["n07"] == TaxonomyLabel("n07", "sniffer", ("snoopy",), ("n05",), categories=("Animals",))


def test_a_merged_class_gives_its_words_to_the_label_that_it_is() -> None:
    labels = build(["n05", "n07"], merged={"n07": "n05"})

    assert list(labels) == ["n05"]
    assert labels["n05"].merged == ("n07",)
    assert labels["n05"].synonyms == ("Canis familiaris", "beagle")


def test_words_that_differ_in_their_case_only_are_one() -> None:
    assert build(["n07", "n08"], merged={"n08": "n07"})["n07"].synonyms == ()


def test_categories_are_those_of_the_ancestors_too() -> None:
    labels = build(
        ["n07"], ancestors={"n02": "animal", "n05": "dog"}, categories={"n02": ["Animals"], "n07": ["Hounds"]}
    )

    assert [label.categories for label in labels.values()] == [("Animals",), ("Animals",), ("Animals", "Hounds")]


def test_the_threshold_is_the_greatest_of_the_ancestors() -> None:
    labels = build(
        ["n07"], ancestors={"n02": "animal", "n05": "dog"}, thresholds={"default": 0.5, "n05": 0.8, "n07": 0.6}
    )

    assert [label.threshold for label in labels.values()] == [0.5, 0.8, 0.8]


def test_what_is_silenced_does_not_silence_the_kinds_of_it() -> None:
    labels = build(["n07"], ancestors={"n05": "dog"}, silenced=["n05"])

    assert [label.threshold for label in labels.values()] == [SILENCED, 0.5]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"ancestors": {"n99": "unicorn"}}, "n99 is no noun of this WordNet"),
        ({"parents": {"n07": ["n98"]}}, "n98 is no noun of this WordNet"),
        ({"names": {"n05": "dog"}}, "edits n05, which is neither a class nor a kept ancestor"),
        ({"never": {"n07": ["cat"]}}, "takes {'cat'} from n07, which does not have it"),
        ({"merged": {"n05": "n07"}}, "merges n05, which is no class"),
        ({"merged": {"n07": "n05"}}, "edits n05, which is neither"),
        ({"silenced": ["n05"]}, "edits n05, which is no label"),
        ({"people": {"n97": ["ghost"]}}, "n97 is no noun of this WordNet"),
        ({"people": {"n07": ["sniffer"]}}, "only people say n07, which a network says, too"),
        ({"people": {"n05": ["dog"]}, "also": {"n05": ["puppy"]}}, "edits n05, which is neither"),
        ({"also": {"n07": ["beagle"]}}, "adds {'beagle'} to n07, which has it already"),
        ({"parents": {"n08": ["n02"]}}, "gives n08 parents, but it is no label, nor above one"),
        ({"categories": {}}, "n07 beagle is in no category"),
        ({"ancestors": {"n08": "Beagle"}}, "share a name.*n07 beagle, n08 Beagle"),
    ],
)
def test_an_edit_that_cannot_be_meant_is_refused(tables: Mapping[str, Any], message: str) -> None:
    with pytest.raises(BuildError, match=message):
        build(["n07"], **tables)


def test_what_is_written_reads_back_the_same() -> None:
    labels = [
        TaxonomyLabel("n1", "animal", (), ()),
        TaxonomyLabel(
            "n2",
            "jack-o'-lantern",
            ("Jack", "lantern, carved"),
            ("n1", "n0"),
            threshold=0.7,
            merged=("n3", "n4"),
            categories=("Home and Indoors", "Events"),
        ),
    ]

    assert parse_taxonomy(format_taxonomy(labels)) == labels


def test_a_file_that_has_changed_has_another_digest(tmp_path: Path) -> None:
    edits, classes = tmp_path / "edits.toml", tmp_path / "classes.txt"
    edits.write_text("")
    classes.write_text("n05\n")
    before = digests(edits, classes)
    edits.write_text("# nothing")

    assert before.splitlines()[0] == f"{sha256().hexdigest()}  edits.toml"
    assert [old == new for old, new in zip(before.splitlines(), digests(edits, classes).splitlines(), strict=True)] == [
        False,
        True,
    ]
