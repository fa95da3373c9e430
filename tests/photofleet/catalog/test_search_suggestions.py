import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from photofleet.catalog.models import Label
from photofleet.catalog.search import Suggestion, common_labels, suggest, suggest_labels, suggestions
from photofleet.catalog.searchable import bring_up_to_date
from photofleet.catalog.thresholds import adjust_threshold
from tests.photofleet.catalog.factories import ESPRESSO, PEMBROKE, TABBY, create_finished_photo


def test_suggestions_are_labels_that_find_something_those_that_find_most_first(session: Session) -> None:
    create_finished_photo(session, PEMBROKE)
    create_finished_photo(session, "n02113186")
    create_finished_photo(session, TABBY)

    found = suggest_labels(session, "Dog", limit=5)

    assert Suggestion("dog", "dog", 2) in found
    counts = [one.photos or 0 for one in found]
    assert counts == sorted(counts, reverse=True)
    assert suggest_labels(session, "espr", limit=5) == []


def test_labels_too_rare_for_the_sample_count_what_anybody_may_see(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggestions, "SAMPLE", 1)
    create_finished_photo(session, PEMBROKE)
    hidden = [create_finished_photo(session, label) for label in (PEMBROKE, ESPRESSO)]
    for photo in hidden:
        photo.visibility = "private"
    create_finished_photo(session, TABBY)
    session.flush()

    assert [one.photos for one in suggest_labels(session, "pembroke", limit=5)] == [1]
    assert suggest_labels(session, "espresso", limit=5) == []


def test_no_more_of_a_rare_label_is_read_than_counts(
    catalog: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggestions, "SAMPLE", 1)
    monkeypatch.setattr(suggestions, "MOST_COUNTED", 2)
    for _ in range(3):
        create_finished_photo(session, PEMBROKE)
    create_finished_photo(session, TABBY)
    assert [one.photos for one in suggest_labels(session, "pembroke", limit=5)] == [2]

    adjust_threshold(session, PEMBROKE, 1.0)
    session.commit()
    bring_up_to_date(catalog)

    assert suggest_labels(session, "pembroke", limit=5) == []


@pytest.mark.parametrize("start", ["%", "_", "", " ", "\\"])
def test_typing_a_wildcard_suggests_nothing(session: Session, start: str) -> None:
    create_finished_photo(session, PEMBROKE)

    assert suggest_labels(session, start, limit=5) == []


def test_the_labels_that_find_most_are_the_common_ones(session: Session) -> None:
    create_finished_photo(session, PEMBROKE)
    create_finished_photo(session, PEMBROKE)
    create_finished_photo(session, TABBY)

    common = common_labels(session, limit=3)

    assert common == [session.get_one(Label, PEMBROKE).name, session.get_one(Label, TABBY).name]


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("espresso do", "espresso dog"),
        ("espresso -do", "espresso -dog"),
        ("label:do", "label:dog"),
        ('espresso "do', "espresso dog"),
        ("min:80 DO", "min:80 dog"),
    ],
)
def test_the_last_word_of_a_query_is_completed(session: Session, typed: str, query: str) -> None:
    create_finished_photo(session, PEMBROKE)

    assert query in [one.query for one in suggest(session, typed, limit=20)]


def test_several_words_are_completed_to_one_label(session: Session) -> None:
    create_finished_photo(session, "n02132136", ESPRESSO)

    assert suggest(session, "espresso brown be", limit=5)[0].query == "espresso brown bear"
    assert suggest(session, "-brown", limit=5)[0].query == '-"brown bear"'


@pytest.mark.parametrize(
    ("typed", "queries"),
    [
        ("dog orien", ["dog orientation:"]),
        ("orientation:", ["orientation:landscape", "orientation:portrait", "orientation:square"]),
        ("dog -orientation:p", ["dog -orientation:portrait"]),
        ("type:w", ["type:webp"]),
        ("by:", ["by:me"]),
        ("min:8", []),
        ("nonsense:x", []),
    ],
)
def test_operators_and_what_they_take_are_suggested(session: Session, typed: str, queries: list[str]) -> None:
    assert [one.query for one in suggest(session, typed, limit=8)] == queries
