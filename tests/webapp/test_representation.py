from photofleet.catalog.models import ShownLabel
from webapp.photos.representation import label_json


def test_a_label_looks_as_people_know_it_from_rekognition() -> None:
    assert label_json(ShownLabel("n02123045", "tabby cat", 0.94567, "net@1")) == {
        "id": "n02123045",
        "name": "tabby cat",
        "confidence": 0.9457,
        "source": "net@1",
        "parents": [{"name": name} for name in ("cat", "feline", "carnivore", "domestic animal", "mammal", "animal")],
        "aliases": [{"name": "tabby"}, {"name": "tiger cat"}],
        "categories": [{"name": "Animals and Pets"}],
    }


def test_a_persons_label_says_who_it_is_from() -> None:
    assert label_json(ShownLabel("n02084071", "dog", 1, "person:ada"))["source"] == "person:ada"


def test_what_has_left_the_taxonomy_has_its_name_alone() -> None:
    described = label_json(ShownLabel("n99999999", "unicorn", 0.9, "net@1"))

    assert described["name"] == "unicorn"
    assert described["parents"] == described["aliases"] == described["categories"] == []
