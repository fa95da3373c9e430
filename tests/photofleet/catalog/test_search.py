import pytest
from sqlalchemy.orm import Session

from photofleet.catalog.search import Suggestion, common_labels, search_photos, suggest_labels
from tests.photofleet.catalog.factories import ESPRESSO, PEMBROKE, TABBY, create_finished_photo


@pytest.mark.parametrize("query", ["Pembroke", "corgi", "dog", "DOGS", "  dog ", "animal", "mammals"])
def test_a_photo_is_found_by_its_label_its_synonyms_and_everything_it_is_a_kind_of(
    session: Session, query: str
) -> None:
    corgi = create_finished_photo(session, PEMBROKE)
    create_finished_photo(session, ESPRESSO)

    found = search_photos(session, query, before=None, limit=10)

    assert [photo.id for photo in found.page.photos] == [corgi.id]
    assert found.matched


@pytest.mark.parametrize("query", ["cat", "do", "unheard-of", "%", "", "'; drop table photos; --", "dog\0"])
def test_what_no_label_is_called_finds_nothing(session: Session, query: str) -> None:
    create_finished_photo(session, ESPRESSO)

    assert search_photos(session, query, before=None, limit=10).page.photos == []


def test_a_photo_with_two_dogs_is_found_once(session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE, "n02113186")

    found = search_photos(session, "dog", before=None, limit=10)

    assert [photo.id for photo in found.page.photos] == [photo.id]


def test_what_is_found_comes_in_pages_newest_first(session: Session) -> None:
    photos = [create_finished_photo(session, PEMBROKE) for _ in range(3)]

    first = search_photos(session, "dog", before=None, limit=2).page
    second = search_photos(session, "dog", before=first.next_before, limit=2).page

    assert [photo.id for photo in (*first.photos, *second.photos)] == [photo.id for photo in reversed(photos)]
    assert second.next_before is None


def test_suggestions_are_labels_that_find_something_those_that_find_most_first(session: Session) -> None:
    create_finished_photo(session, PEMBROKE)
    create_finished_photo(session, "n02113186")
    create_finished_photo(session, TABBY)

    assert suggest_labels(session, "do", limit=5)[0] in (Suggestion("dog", 2), Suggestion("domestic animal", 3))
    assert Suggestion("dog", 2) in suggest_labels(session, "Dog", limit=5)
    assert suggest_labels(session, "espr", limit=5) == []


@pytest.mark.parametrize("start", ["%", "_", "", " ", "\\"])
def test_typing_a_wildcard_suggests_nothing(session: Session, start: str) -> None:
    create_finished_photo(session, PEMBROKE)

    assert suggest_labels(session, start, limit=5) == []


def test_the_labels_that_find_most_are_the_common_ones(session: Session) -> None:
    create_finished_photo(session, PEMBROKE)
    create_finished_photo(session, PEMBROKE)
    create_finished_photo(session, TABBY)

    common = common_labels(session, limit=3)

    assert common[0].photos == 2
    assert len(common) == 2
