from collections import Counter
from importlib.resources import files

import pytest

from photofleet.catalog.taxonomy import Taxonomy, format_taxonomy, load_taxonomy
from workers.label.labels import class_ids

# What a person may search for, photos of what it finds, and photos of what it does not find.
SEARCHES = {
    "dog": ("Pembroke Welsh corgi, Chihuahua, dalmatian, pug, Siberian husky", "timber wolf, tabby cat, hot dog"),
    "puppy": ("golden retriever, beagle", "tabby cat, axolotl"),
    "husky": ("Siberian husky, Eskimo dog", "pug"),
    "corgi": ("Pembroke Welsh corgi, Cardigan Welsh corgi", "Pomeranian, cardigan"),
    "cat": ("tabby cat, tiger cat, Siamese cat, Egyptian cat, Persian cat", "lion, lynx, ring-tailed lemur"),
    "kitten": ("Persian cat", "pug"),
    "pet": ("Persian cat, pug", "lion"),
    "big cat": ("lion, tiger, leopard, cheetah", "Siamese cat, cougar"),
    "animal": ("goldfish, ostrich, tarantula, giant panda, jellyfish, tusker", "teddy bear, coral fungus, daisy"),
    "bear": ("polar bear, giant panda, sloth bear", "teddy bear, koala"),
    "panda": ("giant panda, red panda", "polar bear"),
    "monkey": ("macaque, baboon, howler monkey, capuchin monkey", "gorilla, ring-tailed lemur"),
    "elephant": ("African elephant, Indian elephant, tusker", "hippopotamus"),
    "horse": ("sorrel horse", "zebra, horse cart, horse chestnut"),
    "cow": ("ox", "bison"),
    "sheep": ("ram, bighorn", "ibex"),
    "bird": ("robin, king penguin, ostrich, hummingbird, rooster, crane (bird)", "bee, crane (machine)"),
    "chicken": ("rooster, hen", "prairie chicken, duck"),
    "duck": ("drake, red-breasted merganser", "platypus, goose"),
    "owl": ("great grey owl", "bald eagle"),
    "fish": ("goldfish, great white shark, coho, stingray", "starfish, orca, jellyfish"),
    "whale": ("grey whale, orca", "great white shark"),
    "snake": ("Indian cobra, garter snake, boa constrictor, green mamba", "eel, feather boa"),
    "turtle": ("loggerhead turtle, box turtle", "African chameleon"),
    "frog": ("bullfrog, tree frog", "common newt"),
    "insect": ("bee, ladybug, monarch butterfly, ant, dragonfly", "tarantula, trilobite"),
    "spider": ("tarantula, black widow", "harvestman, spider web, spider monkey"),
    "flower": ("daisy, yellow lady's slipper", "broccoli"),
    "mushroom": ("mushroom, agaric, bolete", "daisy"),
    "person": ("groom, ballplayer, scuba diver", "orangutan"),
    "mountain": ("alp, volcano", "mountain bike, mountain tent"),
    "beach": ("seashore", "lakeside, station wagon"),
    "food": ("pizza, cheeseburger, banana, broccoli, ice cream, bagel", "menu, hay, red wine, plate rack"),
    "pizza": ("pizza", "burrito"),
    "fruit": ("orange, lemon, banana, strawberry, Granny Smith", "acorn, ear of grain, rose hip, cucumber"),
    "vegetable": ("cauliflower, bell pepper, zucchini, corn", "banana"),
    "bread": ("baguette, bagel", "pizza"),
    "dessert": ("ice cream, trifle", "pizza"),
    "coffee": ("espresso", "red wine, coffeepot"),
    "drink": ("espresso, red wine, eggnog", "pizza, goblet"),
    "wine": ("red wine", "wine bottle"),
    "cup": ("cup, coffee mug", "eggnog, football helmet"),
    "mug": ("coffee mug", "wine bottle"),
    "bottle": ("beer bottle, water bottle", "goblet"),
    "car": ("taxi, sports car, convertible, jeep, limousine", "freight car, school bus, car mirror, car wheel"),
    "bike": ("mountain bike, tandem bicycle, moped", "tricycle, car wheel"),
    "motorcycle": ("moped, motor scooter", "mountain bike"),
    "bus": ("school bus, minibus", "taxi"),
    "truck": ("fire engine, pickup truck", "school bus"),
    "train": ("bullet train", "tram, steam locomotive"),
    "boat": ("canoe, speedboat, catamaran, gondola", "ocean liner, soup bowl"),
    "ship": ("ocean liner, container ship, aircraft carrier", "canoe, airship"),
    "airplane": ("airliner, warplane", "hand plane, balloon"),
    "plane": ("airliner", "hand plane"),
    "vehicle": ("school bus, airliner, canoe, bullet train, mountain bike, space shuttle", "space heater, stretcher"),
    "building": ("church, barn, castle, library, lighthouse, bookshop", "suspension bridge, birdhouse"),
    "bridge": ("suspension bridge, viaduct", "castle"),
    "furniture": ("desk, rocking chair, four-poster, bookcase", "rug"),
    "chair": ("rocking chair, throne", "park bench"),
    "sofa": ("studio couch", "park bench"),
    "lamp": ("table lamp, candle", "traffic light"),
    "phone": ("cell phone, dial telephone, pay-phone", "iPod, microphone"),
    "computer": ("laptop, desktop computer", "slide rule, website, computer mouse"),
    "electronics": ("laptop, television, cell phone", "abacus"),
    "camera": ("reflex camera, Polaroid camera", "binoculars"),
    "musical instrument": ("violin, grand piano, drum, trumpet, electric guitar", "guitar pick, drumstick"),
    "guitar": ("acoustic guitar, electric guitar", "violin"),
    "tool": ("hammer, screwdriver, chain saw", "fountain pen"),
    "weapon": ("rifle, revolver, missile", "mousetrap"),
    "clock": ("wall clock, analog clock", "hourglass"),
    "ball": ("soccer ball, tennis ball", "punching bag, balloon"),
    "toy": ("teddy bear", "toy poodle, toy terrier"),
    "clothing": ("T-shirt, jeans, kimono, running shoe, sombrero", "seat belt, washing machine"),
    "hat": ("sombrero, cowboy hat", "crash helmet"),
    "shoe": ("running shoe, sandal", "shoe shop"),
    "dress": ("gown", "miniskirt"),
    "bag": ("backpack, purse", "punching bag"),
    "sunglasses": ("sunglass, sunglasses", "wine bottle"),
}  # fmt: skip


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


def names_of_what_is_found(taxonomy: Taxonomy, word: str) -> set[str]:
    called = {label.id for label in taxonomy if word in (label.name, *label.synonyms)}
    return {label.name for label in taxonomy if called & {label.id, *taxonomy.ancestors(label.id)}}


@pytest.mark.parametrize("word", SEARCHES)
def test_a_word_finds_what_people_mean_by_it(taxonomy: Taxonomy, word: str) -> None:
    expected, unexpected = (set(names.split(", ")) for names in SEARCHES[word])
    found = names_of_what_is_found(taxonomy, word)

    assert expected | unexpected <= {label.name for label in taxonomy}
    assert expected <= found
    assert not unexpected & found


def test_every_dog_of_the_network_is_found_as_a_dog(taxonomy: Taxonomy) -> None:
    dogs = [label_id for label_id in class_ids() if "n02084071" in taxonomy.ancestors(label_id)]

    assert len(dogs) == 118
    assert "n02113023" in dogs


def test_every_class_of_the_network_is_in_the_taxonomy(taxonomy: Taxonomy) -> None:
    assert [label_id for label_id in class_ids() if label_id not in taxonomy] == []


def test_every_label_is_a_class_or_above_one(taxonomy: Taxonomy) -> None:
    above = frozenset().union(*(taxonomy.ancestors(label_id) for label_id in class_ids()))

    assert {label.id for label in taxonomy} == above.union(class_ids())


def test_every_parent_is_in_the_taxonomy(taxonomy: Taxonomy) -> None:
    assert [label for label in taxonomy if not all(parent in taxonomy for parent in label.parents)] == []


def test_nothing_is_a_kind_of_itself(taxonomy: Taxonomy) -> None:
    assert [label for label in taxonomy if label.id in taxonomy.ancestors(label.id)] == []


def test_no_parent_says_what_another_parent_says_already(taxonomy: Taxonomy) -> None:
    for label in taxonomy:
        for parent in label.parents:
            assert not taxonomy.ancestors(parent).intersection(label.parents), label


def test_no_two_labels_share_a_name_so_that_searching_a_name_finds_one_thing(taxonomy: Taxonomy) -> None:
    counts = Counter(label.name.lower() for label in taxonomy)

    assert [name for name, count in counts.items() if count > 1] == []


def test_no_label_repeats_a_word(taxonomy: Taxonomy) -> None:
    for label in taxonomy:
        words = (label.name, *label.synonyms)
        assert all(words)
        assert len(set(words)) == len(words), label


def test_ancestors_are_everything_above_and_nothing_below(taxonomy: Taxonomy) -> None:
    names = {taxonomy[ancestor].name for ancestor in taxonomy.ancestors("n02113023")}

    assert names == {"corgi", "dog", "canine", "carnivore", "mammal", "domestic animal", "animal"}


def test_the_shipped_file_is_what_the_labels_say(taxonomy: Taxonomy) -> None:
    data = files("photofleet.catalog") / "data"

    assert (data / "taxonomy.tsv").read_text(encoding="utf-8") == format_taxonomy(taxonomy)
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in (data / "WORDNET-LICENSE").read_text()
