"""The pages, without a browser."""

import re
from html.parser import HTMLParser
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.stages import fail_stage, start_stage
from photofleet.settings import get_settings
from tests.photofleet.catalog.factories import ESPRESSO, PEMBROKE, create_finished_photo, create_photo
from webapp import arguments


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


def photo_links(html: str) -> list[UUID]:
    return list(dict.fromkeys(UUID(found) for found in re.findall(r'href="/photos/([0-9a-f-]{36})"', html)))


def test_the_empty_gallery_invites_to_upload(client: FlaskClient) -> None:
    page = client.get("/")

    assert page.status_code == 200
    (form,) = (form for form in Tags(page.text).named("form") if form.get("action") == "/photos")
    assert (form["action"], form["enctype"]) == ("/photos", "multipart/form-data")


def test_the_form_says_and_offers_which_formats_are_taken(client: FlaskClient) -> None:
    page = client.get("/").text

    assert "JPEG, PNG, WebP, GIF, AVIF, HEIC or TIFF" in page
    (files,) = (field for field in Tags(page).named("input") if field.get("type") == "file")
    assert {"image/jpeg", "image/heic", "image/heif", "image/tiff"} <= set((files["accept"] or "").split(","))


def test_a_finished_photo_has_a_picture_and_words_for_who_cannot_see_it(client: FlaskClient, session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    session.commit()

    tags = Tags(client.get("/").text)

    address = f"{get_settings().renditions_url}/renditions/{photo.id}/w160.jpg"
    (picture,) = (image for image in tags.named("img") if image.get("src") == address)
    assert "Pembroke" in (picture["alt"] or "")
    assert f"{address} 160w" in (picture["srcset"] or "")
    assert picture["width"]
    assert picture["height"]
    assert not [attributes for _, attributes in tags.found if "data-live" in attributes], "nothing is left to wait for"


def test_a_photo_in_work_is_a_placeholder_that_asks_for_news(client: FlaskClient, session: Session) -> None:
    photo = create_photo(session)
    session.commit()

    tags = Tags(client.get("/").text)

    (waiting,) = (attributes for _, attributes in tags.found if "data-live" in attributes)
    assert waiting["data-live"] == str(photo.id)
    (container,) = (attributes for _, attributes in tags.found if "data-live-url" in attributes)
    assert container["data-live-url"] == "/photos/cards"
    card = client.get(f"/photos/cards?id={photo.id}").text
    assert f'id="{waiting["id"]}"' in card


def test_the_gallery_goes_on_page_by_page(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arguments, "PAGE_SIZE", 2)
    photos = [create_finished_photo(session).id for _ in range(3)]
    session.commit()

    first = client.get("/").text
    (older,) = re.findall(r'href="(/\?before=[0-9a-f-]+)"', first)
    second = client.get(older).text

    assert photo_links(first) + photo_links(second) == list(reversed(photos))
    assert "before=" not in second


def test_a_photos_page_shows_its_labels_with_confidence_and_links_to_others_like_it(
    client: FlaskClient, session: Session
) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    session.commit()

    page = client.get(f"/photos/{photo.id}").text

    assert "90\N{NARROW NO-BREAK SPACE}%" in page
    assert 'href="/search?q=Pembroke' in page


def test_a_photos_page_says_what_failed_and_why(client: FlaskClient, session: Session) -> None:
    photo = create_photo(session)
    start_stage(session, photo.id, "resize")
    fail_stage(session, photo.id, "resize", "The JPEG file is damaged & cannot be decoded.")
    session.commit()

    assert "The JPEG file is damaged &amp; cannot be decoded." in client.get(f"/photos/{photo.id}").text
    assert "damaged &amp; cannot" in client.get(f"/photos/{photo.id}/live").text


def test_a_photo_that_is_not_there_is_a_page_that_says_so(client: FlaskClient) -> None:
    page = client.get(f"/photos/{uuid7()}")

    assert page.status_code == 404
    assert "There is no such photo." in page.text
    assert client.get("/photos/1").status_code == 404


def test_a_search_shows_what_it_found(client: FlaskClient, session: Session) -> None:
    corgi, _ = create_finished_photo(session, PEMBROKE), create_finished_photo(session, ESPRESSO)
    session.commit()

    page = client.get("/search?q=dog").text

    assert photo_links(page) == [corgi.id]


def test_a_search_that_finds_nothing_says_what_there_is(client: FlaskClient, session: Session) -> None:
    create_finished_photo(session, ESPRESSO)
    session.commit()

    page = client.get("/search?q=dog").text

    assert photo_links(page) == []
    assert 'href="/search?q=espresso"' in page


@pytest.mark.parametrize("query", ["", "%00", "'", "<script>", "%25", "\N{DOG}", "a+b+c"])
def test_any_query_has_an_answer(client: FlaskClient, query: str) -> None:
    page = client.get(f"/search?q={query}")

    assert page.status_code == 200
    assert "<script>" not in page.text


def test_an_overlong_query_is_refused_in_words(client: FlaskClient) -> None:
    page = client.get("/search?q=" + "dog" * 1000)

    assert page.status_code == 400
    assert "at most 200 characters" in page.text


def test_suggestions_are_options_with_what_they_find(client: FlaskClient, session: Session) -> None:
    create_finished_photo(session, PEMBROKE)
    session.commit()

    options = Tags(client.get("/search/suggestions?q=do").text).named("li")

    assert {"dog"} <= {option["data-autocomplete-value"] for option in options}
    assert all(option["role"] == "option" for option in options)


@pytest.mark.parametrize("address", ["/?before=1", "/photos/cards?id=x", "/api/v1/photos?before="])
def test_an_id_that_is_none_is_refused_by_name(client: FlaskClient, address: str) -> None:
    response = client.get(address)

    assert response.status_code == 400
    assert "must be the id of a photo" in response.text


def test_more_cards_than_a_page_needs_are_not_given(client: FlaskClient) -> None:
    assert client.get("/photos/cards?" + "&".join(f"id={uuid7()}" for _ in range(51))).status_code == 400
