from photofleet.catalog.models import Label, PhotoLabel
from webapp.photos.representation import label_json


def label(label_id: str, name: str, *, confidence: float = 0.94567, source: str = "net@1") -> PhotoLabel:
    node = Label(id=label_id, name=name, synonyms=[], parents=[])
    return PhotoLabel(label_id=label_id, label=node, confidence=confidence, source=source)


def test_a_label_looks_as_people_know_it_from_rekognition() -> None:
    assert label_json(label("n02123045", "tabby cat")) == {
        "id": "n02123045",
        "name": "tabby cat",
        "confidence": 0.9457,
        "source": "net@1",
        "parents": [{"name": name} for name in ("cat", "feline", "carnivore", "domestic animal", "mammal", "animal")],
        "aliases": [{"name": "tabby"}, {"name": "tiger cat"}],
        "categories": [{"name": "Animals and Pets"}],
    }


def test_a_persons_label_says_who_it_is_from() -> None:
    assert label_json(label("n02084071", "dog", confidence=1, source="person:ada"))["source"] == "person:ada"


def test_what_has_left_the_taxonomy_has_its_name_alone() -> None:
    described = label_json(label("n99999999", "unicorn"))

    assert described["name"] == "unicorn"
    assert described["parents"] == described["aliases"] == described["categories"] == []
