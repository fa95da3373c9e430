"""Searching, as people and programs meet it; what is found is for the catalog's tests."""

from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from photofleet.catalog.results import record_labels
from photofleet.catalog.search import results, similar
from photofleet.catalog.vector import DIMENSIONS
from tests.photofleet.catalog.factories import ESPRESSO, PEMBROKE, create_finished_photo
from webapp import arguments


def test_a_program_learns_why_each_photo_was_found(client: FlaskClient, session: Session) -> None:
    create_finished_photo(session, PEMBROKE)
    session.commit()

    (photo,) = client.get("/api/v1/search?q=dog").get_json()["photos"]

    (reason,) = photo["matched"]
    assert reason["asked"] == "dog"
    assert reason["label"] in [label["name"] for label in photo["labels"]]
    assert reason["confidence"] == 0.9


@pytest.mark.parametrize("sort", ["relevance", "date"])
def test_a_program_goes_from_page_to_page(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(arguments, "PAGE_SIZE", 2)
    photos = [create_finished_photo(session, PEMBROKE) for _ in range(3)]
    session.commit()

    first = client.get(f"/api/v1/search?q=dog&sort={sort}").get_json()
    second = client.get(first["next"]).get_json()

    assert [photo["id"] for photo in first["photos"] + second["photos"]] == [str(photo.id) for photo in photos[::-1]]
    assert second["next"] is None


def test_a_program_is_told_what_was_not_understood_and_where(client: FlaskClient) -> None:
    response = client.get("/api/v1/search?q=dog colour:red min:200")

    problem = response.get_json()
    assert response.status_code == 400
    assert response.content_type == "application/problem+json"
    assert problem["type"] == "urn:photofleet:problem:search-not-understood"
    assert [(error["start"], error["end"]) for error in problem["errors"]] == [(4, 14), (15, 22)]
    assert "“colour:”" in problem["errors"][0]["detail"]


def test_a_program_is_told_of_unknown_words_and_others_like_them(client: FlaskClient) -> None:
    (unknown,) = client.get("/api/v1/search?q=corgy").get_json()["unknown"]

    assert (unknown["word"], unknown["start"], unknown["end"]) == ("corgy", 0, 5)
    assert "corgi" in unknown["alternatives"]


@pytest.mark.parametrize("address", ["sort=best", "before=x", "before="])
def test_an_address_that_no_page_gave_is_refused(client: FlaskClient, address: str) -> None:
    assert client.get(f"/api/v1/search?q=dog&{address}").status_code == 400
    assert client.get(f"/search?q=dog&{address}").status_code == 400


def test_a_person_sees_below_the_box_what_was_not_understood(client: FlaskClient) -> None:
    page = client.get('/search?q=dog "polar bear')

    assert page.status_code == 400
    assert "<mark>&#34;polar bear</mark>" in page.text
    assert "quotation mark" in page.text


def test_a_person_can_choose_the_order_and_the_address_says_it(client: FlaskClient, session: Session) -> None:
    create_finished_photo(session, PEMBROKE)
    session.commit()

    page = client.get("/search?q=dog&sort=date").text

    assert 'href="/search?q=dog&amp;sort=date" aria-current="true"' in page
    assert 'href="/search?q=dog"' in page
    assert "Surest of the newest first" in page


def test_a_mistyped_word_leads_to_the_right_one_and_keeps_the_rest(client: FlaskClient) -> None:
    page = unescape(client.get("/search?q=corgy type:png").text)

    assert "/search?q=corgi+type:png" in page or "/search?q=corgi%20type:png" in page


def test_suggestions_hold_the_whole_query(client: FlaskClient, session: Session) -> None:
    create_finished_photo(session, PEMBROKE)
    session.commit()

    assert 'data-autocomplete-value="min:80 dog"' in client.get("/search/suggestions?q=min:80 do").text


def test_photos_like_one_have_a_page_and_an_address_for_programs(client: FlaskClient, session: Session) -> None:
    photos = [create_finished_photo(session, ESPRESSO) for _ in range(2)]
    for photo in photos:
        record_labels(session, photo.id, "net@1", [], embedding=[1.0] * DIMENSIONS)
    session.commit()
    one, other = photos

    page = client.get(f"/photos/{one.id}/similar").text
    found = client.get(f"/api/v1/photos/{one.id}/similar").get_json()

    assert f'id="card-{other.id}"' in page
    assert f'id="card-{one.id}"' not in page
    assert [photo["id"] for photo in found["photos"]] == [str(other.id)]


def test_what_is_like_no_other_says_so(client: FlaskClient, session: Session) -> None:
    photo = create_finished_photo(session, ESPRESSO)
    session.commit()

    assert "Nothing like this yet" in client.get(f"/photos/{photo.id}/similar").text
    assert client.get("/photos/019aa4d2-7e31-7c55-a9ce-0242ac120002/similar").status_code == 404


def test_a_search_that_takes_too_long_says_what_to_add(
    client: FlaskClient, catalog: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MOST_MS", 50)
    with catalog.begin() as other:
        other.execute(text("LOCK TABLE searchable IN ACCESS EXCLUSIVE MODE"))
        page = client.get("/search?q=dog")
        problem = client.get("/api/v1/search?q=dog")

    assert (page.status_code, problem.status_code) == (422, 422)
    assert "add a word or a date" in page.text
    assert 'value="dog"' in page.text
    assert problem.get_json()["type"] == "urn:photofleet:problem:search-too-slow"
    assert "add a word or a date" in problem.get_json()["detail"]


def test_a_photos_page_does_not_wait_for_photos_like_it(
    client: FlaskClient, catalog: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar, "MOST_MS", 50)
    photo = create_finished_photo(session, ESPRESSO)
    session.commit()
    with catalog.begin() as other:
        other.execute(text("LOCK TABLE embeddings IN ACCESS EXCLUSIVE MODE"))
        page = client.get(f"/photos/{photo.id}")
        all_like_it = client.get(f"/photos/{photo.id}/similar")
        problem = client.get(f"/api/v1/photos/{photo.id}/similar")

    assert page.status_code == 200
    assert "More like this" not in page.text
    assert (all_like_it.status_code, problem.status_code) == (503, 503)
    assert "try again" in all_like_it.text
