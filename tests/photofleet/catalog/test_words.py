import pytest

from photofleet.catalog.words import forms, normal


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("dogs", "dog"),
        ("Boxes", "box"),
        ("puppies", "puppy"),
        ("wolves", "wolf"),
        ("knives", "knife"),
        ("children", "child"),
        ("golden retrievers", "golden retriever"),
        ("dog", "dog"),
        ("s", "s"),
        ("", ""),
    ],
)
def test_the_singular_is_among_the_forms(plural: str, singular: str) -> None:
    assert singular in forms(plural)
    assert normal(plural) in forms(plural)
    assert len(plural) < 2 or "" not in forms(plural)


def test_words_are_the_same_however_they_are_typed() -> None:
    assert normal("  Golden\tRETRIEVER\0 \ud800") == "golden retriever"
