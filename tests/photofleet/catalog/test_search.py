import base64
import json
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from photofleet.catalog.corrections import add_label, take_back
from photofleet.catalog.models import ADDED, PERSON, Label, PhotoLabel
from photofleet.catalog.results import FoundLabel, record_labels
from photofleet.catalog.search import CursorError, Found, Order, Reason, TooSlowError, search_photos
from photofleet.catalog.search import query as search_query
from photofleet.catalog.search import results as search_results
from photofleet.catalog.searchable import bring_up_to_date
from photofleet.catalog.thresholds import adjust_threshold
from tests.photofleet.catalog.factories import DOG, ESPRESSO, PEMBROKE, TABBY, create_finished_photo

SAMOYED = "n02111889"


def search(session: Session, query: str, **arguments: object) -> Found:
    """What a query of everybody's finds."""
    return search_photos(session, query, **{"owner": "everybody", "limit": 10, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize("query", ["Pembroke", "corgi", "dog", "DOGS", "  dog ", "animal", "mammals", "label:dogs"])
def test_a_photo_is_found_by_its_label_its_synonyms_and_everything_it_is_a_kind_of(
    session: Session, query: str
) -> None:
    corgi = create_finished_photo(session, PEMBROKE)
    create_finished_photo(session, ESPRESSO)

    found = search(session, query)

    assert [photo.id for photo in found.photos] == [corgi.id]
    assert found.names
    assert not found.unknown


@pytest.mark.parametrize("query", ["cat", "unheard-of", "%%%", "", "'; drop table photos; --", "dog\0cat", "___"])
def test_what_no_label_is_called_finds_nothing(session: Session, query: str) -> None:
    create_finished_photo(session, ESPRESSO)

    assert not search(session, query).photos


def test_all_words_must_apply_and_those_with_a_minus_must_not(session: Session) -> None:
    both = create_finished_photo(session, PEMBROKE, ESPRESSO)
    dog = create_finished_photo(session, PEMBROKE)
    cat = create_finished_photo(session, TABBY)

    assert ids(search(session, "dog espresso")) == [both.id]
    assert ids(search(session, "dog -espresso")) == [dog.id]
    assert ids(search(session, "-dog")) == [cat.id]
    assert ids(search(session, "animal -dog -espresso")) == [cat.id]


def test_words_in_a_row_are_one_label_if_there_is_one(session: Session) -> None:
    bear = create_finished_photo(session, "n02132136")  # a brown bear
    create_finished_photo(session, "n02134084")  # a polar bear

    for query in ("brown bear", '"brown bear"', "Brown  bears"):
        found = search(session, query)
        assert ids(found) == [bear.id], query
        assert found.names == ["brown bear"]


def test_only_labels_that_are_sure_enough_count(catalog: Engine, session: Session) -> None:
    photo = create_finished_photo(session)
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.5)])

    adjust_threshold(session, PEMBROKE, 0.6)
    session.commit()
    bring_up_to_date(catalog)
    assert search(session, "dog").photos == []
    assert ids(search(session, "-dog")) == [photo.id]

    adjust_threshold(session, PEMBROKE, 0.4)
    session.commit()
    bring_up_to_date(catalog)
    assert ids(search(session, "dog")) == [photo.id]
    assert ids(search(session, "dog min:50")) == [photo.id]
    assert search(session, "dog min:51").photos == []


def test_what_a_person_adds_is_found_and_what_is_gone_is_not(session: Session) -> None:
    photo = create_finished_photo(session, ESPRESSO)
    session.add(PhotoLabel(photo_id=photo.id, label_id=DOG, source=PERSON + "ada", confidence=1))
    session.flush()
    session.expire_all()

    found = search(session, "animal")
    assert found.reasons == {photo.id: [Reason("animal", "dog", 1.0)]}

    record_labels(session, photo.id, "net@1", [])
    session.expire_all()
    assert search(session, "espresso").photos == []
    assert ids(search(session, ADDED + " dog")) == []
    assert ids(search(session, "dog")) == [photo.id]


def test_each_photo_says_by_which_label_it_was_found(session: Session) -> None:
    photo = create_finished_photo(session, ESPRESSO)
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.7), FoundLabel(SAMOYED, 0.94)])
    session.expire_all()

    samoyed = session.get_one(Label, SAMOYED).name
    assert search(session, "dog").reasons[photo.id] == [Reason("dog", samoyed, 0.94)]


def test_a_photo_that_is_surer_of_the_kind_than_of_the_thing_says_so(session: Session) -> None:
    photo = create_finished_photo(session)
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.7), FoundLabel(DOG, 0.94)])
    session.expire_all()

    pembroke = session.get_one(Label, PEMBROKE).name
    assert search(session, "dog").reasons[photo.id] == [Reason("dog", pembroke, 0.7)]
    assert search(session, "dog min:90").reasons[photo.id] == [Reason("dog", "dog", 0.94)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("orientation:portrait", ["upright"]),
        ("-orientation:portrait", ["png", "wide"]),
        ("orientation:square", ["png"]),
        ("type:png", ["png"]),
        ("-type:png", ["wide", "upright"]),
        ("by:me", ["png", "wide"]),
        ("-by:me", ["upright"]),
        ("png", ["png"]),
        ("WIDE", ["wide"]),
        ("upright", []),
        ("-wide by:me", ["png"]),
    ],
)
def test_photos_are_found_by_their_form_and_ones_own_by_their_filename(
    session: Session, query: str, expected: list[str]
) -> None:
    create_finished_photo(session, owner="ada", filename="upright.jpg", width=3, height=4)
    create_finished_photo(session, filename="wide.jpg", width=4, height=3)
    create_finished_photo(session, filename="png.png", format="png", width=4, height=4)

    found = search(session, query, order=Order.DATE)

    assert [photo.filename.split(".")[0] for photo in found.photos] == expected


def test_a_period_counts_from_when_photos_were_taken(session: Session) -> None:
    for day in ("2025-12-31T23:59:59+00:00", "2026-05-01T00:00:00+00:00", "2026-05-31T23:59:59+00:00"):
        create_finished_photo(session, PEMBROKE, taken_at=datetime.fromisoformat(day), filename=day[:10])

    def days(query: str) -> list[str]:
        return [photo.filename for photo in search(session, query).photos]

    assert days("dog from:2026-05 to:2026-05") == ["2026-05-31", "2026-05-01"]
    assert days("to:2025") == ["2025-12-31"]
    assert days("dog from:2026-05-02") == ["2026-05-31"]


def test_an_unknown_word_comes_with_labels_like_it(session: Session) -> None:
    (unknown,) = search(session, "espresso corgy").unknown

    assert unknown.text == "corgy"
    assert (unknown.place.start, unknown.place.end) == (9, 14)
    assert "corgi" in unknown.alternatives


@pytest.mark.parametrize(("word", "like_it"), [("mp3 playr", True), ("IMG_0123456", False)])
def test_numbers_of_files_come_with_no_labels_like_them(session: Session, word: str, like_it: bool) -> None:
    (unknown,) = search(session, f'"{word}"').unknown

    assert bool(unknown.alternatives) is like_it


def test_a_label_that_was_asked_for_as_one_must_exist(session: Session) -> None:
    (mistake,) = search(session, "label:corgy").mistakes

    assert "Did you mean “corgi”" in mistake.message


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize(("window", "indexed"), [(1, 0), (5, 0), (1000, 0), (1000, 1000)])
def test_every_photo_comes_once_page_after_page(
    session: Session, monkeypatch: pytest.MonkeyPatch, order: Order, window: int, indexed: int
) -> None:
    monkeypatch.setattr(search_query, "WINDOW", window)
    monkeypatch.setattr(search_query, "INDEXED", indexed)
    monkeypatch.setattr(search_results, "BLOCK", 3)
    photos = [create_finished_photo(session) for _ in range(7)]
    for n, photo in enumerate(photos):
        record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.5 + n * 37 % 10 / 20)])
    session.expire_all()

    first = search(session, "dog", order=order, limit=2)
    pages = [first]
    while pages[-1].cursor:
        create_finished_photo(session, PEMBROKE)  # which is newer than what is looked at
        pages.append(search(session, "dog", order=order, limit=2, cursor=pages[-1].cursor))

    seen = [photo for page in pages for photo in page.photos]
    assert sorted(photo.id for photo in seen) == sorted(photo.id for photo in photos)
    if order is Order.DATE:
        assert seen == photos[::-1]
    else:
        sure = [photo.shown_labels[0].confidence for photo in seen]
        assert [sure[:3], sure[3:6]] == [sorted(sure[:3], reverse=True), sorted(sure[3:6], reverse=True)]


@pytest.mark.parametrize(("window", "indexed"), [(1, 0), (1000, 0), (1000, 1000)])
def test_common_things_are_found_as_rare_ones_are(
    session: Session, monkeypatch: pytest.MonkeyPatch, window: int, indexed: int
) -> None:
    monkeypatch.setattr(search_query, "WINDOW", window)
    monkeypatch.setattr(search_query, "INDEXED", indexed)
    may = datetime.fromisoformat("2026-05-01T00:00:00+00:00")
    corgi = create_finished_photo(session, PEMBROKE, filename="img_001.jpg", taken_at=may)
    both = create_finished_photo(session, PEMBROKE, ESPRESSO, filename="img_002.png", format="png")
    record_labels(session, both.id, "net@2", [FoundLabel(PEMBROKE, 0.95)])
    create_finished_photo(session, TABBY, filename="img_003.jpg", owner="ada")

    assert ids(search(session, "dog", order=Order.DATE)) == [both.id, corgi.id]
    assert ids(search(session, "dog -espresso")) == [corgi.id]
    assert ids(search(session, "dog min:95")) == [both.id]
    assert ids(search(session, "dog espresso type:png")) == [both.id]
    assert ids(search(session, "dog to:2026-05")) == [corgi.id]
    assert ids(search(session, "img_001")) == [corgi.id]
    assert ids(search(session, "img_00 -img_001")) == [both.id]
    assert ids(search(session, "img_003")) == []


def test_what_rounds_to_the_percentage_that_is_asked_for_is_found_and_says_why(session: Session) -> None:
    photo = create_finished_photo(session)
    record_labels(session, photo.id, "net@1", [FoundLabel(DOG, 0.79996)])
    session.expire_all()

    assert search(session, "dog min:80").reasons == {photo.id: [Reason("dog", "dog", 0.79996)]}


def test_a_persons_word_makes_a_label_sure_until_it_is_taken_back(session: Session) -> None:
    photo = create_finished_photo(session)
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.6)])
    assert ids(search(session, "dog min:80")) == []

    add_label(session, [photo.id], PEMBROKE, person="ada")
    assert ids(search(session, "dog min:80")) == [photo.id]

    take_back(session, [photo.id], PEMBROKE)
    assert ids(search(session, "dog min:80")) == []


@pytest.mark.parametrize("cursor", ["", "x", "W10", "bnVsbA", "WzFd", "\u2028", "Wzld" * 50])
def test_a_damaged_cursor_is_told(session: Session, cursor: str) -> None:
    with pytest.raises(CursorError, match="search again"):
        search(session, "dog", cursor=cursor)


@pytest.mark.parametrize(
    "parts",
    [
        [["0001-01-01T00:00:00+14:00", UUID(int=1).hex]],
        [["9999-12-31T23:59:59-14:00", UUID(int=1).hex]],
        [["2026-05-01T00:00:00+00:00", UUID(int=1).hex], ["2026-05-01T00:00:00+00:00", UUID(int=1).hex, 10**400]],
    ],
)
def test_a_forged_cursor_is_told(session: Session, parts: object) -> None:
    with pytest.raises(CursorError, match="search again"):
        search(session, "dog", cursor=base64.urlsafe_b64encode(json.dumps(parts).encode()).decode())


def test_a_search_that_takes_too_long_is_broken_off_with_advice(
    catalog: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_results, "MOST_MS", 50)
    with catalog.begin() as other:
        other.execute(text("LOCK TABLE searchable IN ACCESS EXCLUSIVE MODE"))

        with pytest.raises(TooSlowError, match="add a word or a date"):
            search(session, "dog")

        assert session.scalar(text("SELECT 1")) == 1  # the transaction goes on


@pytest.mark.parametrize(
    ("query", "start"),
    [("animal -animal", 7), ("corgi -dog", 6), ("-dog corgi min:80", 0), ("reunion2026 -reunion", 12)],
)
def test_what_is_both_asked_for_and_negated_is_a_mistake(session: Session, query: str, start: int) -> None:
    (mistake,) = search(session, query).mistakes

    assert mistake.place.start == start
    assert "remove one" in mistake.message
    assert not search(session, "dog -corgi").mistakes


@pytest.mark.parametrize("query", ["a dog with an espresso", "my dog and the espresso", "THE dog on some espresso"])
def test_little_words_between_others_are_left_out(session: Session, query: str) -> None:
    photo = create_finished_photo(session, PEMBROKE, ESPRESSO)

    found = search(session, query)

    assert ids(found) == [photo.id]
    assert not found.unknown


def test_a_little_word_in_quotation_marks_is_meant(session: Session) -> None:
    create_finished_photo(session, PEMBROKE)

    (unknown,) = search(session, 'dog "the"').unknown

    assert unknown.text == "the"


def ids(found: Found) -> list[object]:
    """The photos that were found."""
    return [photo.id for photo in found.photos]
