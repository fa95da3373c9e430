"""Looking at photos through the API."""

from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests.photofleet.catalog.factories import ESPRESSO, PEMBROKE, create_finished_photo
from webapp import arguments


def test_a_photo_is_shown_with_its_renditions_and_labels(client: FlaskClient, session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    session.commit()

    found = client.get(f"/api/v1/photos/{photo.id}").get_json()

    assert found["finished"] is True
    (rendition,) = found["renditions"]
    assert rendition["url"].endswith(f"/renditions/{photo.id}/w160.jpg")
    (label,) = found["labels"]
    known = {"id": PEMBROKE, "name": "Pembroke Welsh corgi", "confidence": 0.9, "source": "net@1"}
    assert label.items() >= known.items()
    assert {"name": "dog"} in label["parents"]


def test_all_photos_can_be_gone_through(client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "PAGE_SIZE", 2)
    ids = [str(create_finished_photo(session).id) for _ in range(3)]
    session.commit()

    first = client.get("/api/v1/photos").get_json()
    second = client.get(first["next"]).get_json()

    assert [photo["id"] for photo in first["photos"] + second["photos"]] == list(reversed(ids))
    assert second["next"] is None


def test_a_search_says_what_it_was_understood_as(client: FlaskClient, session: Session) -> None:
    corgi, _ = create_finished_photo(session, PEMBROKE), create_finished_photo(session, ESPRESSO)
    session.commit()

    found = client.get("/api/v1/search?q=dogs").get_json()

    assert [photo["id"] for photo in found["photos"]] == [str(corgi.id)]
    assert found["matched"] == ["dog"]


@pytest.mark.parametrize("address", ["/api/v1/search", "/api/v1/search?q=", "/api/v1/search?q=" + "x" * 201])
def test_a_search_for_nothing_or_too_much_is_refused(client: FlaskClient, address: str) -> None:
    response = client.get(address)

    assert response.status_code == 400
    assert "between 1 and 200 characters" in response.get_json()["detail"]


@pytest.mark.parametrize("address", [f"/api/v1/photos/{UUID(int=1)}", "/api/v1/photos/1", "/api/v1/nothing"])
def test_what_is_not_there_is_a_problem_that_programs_can_read(client: FlaskClient, address: str) -> None:
    response = client.get(address)

    assert response.status_code == 404
    assert response.content_type == "application/problem+json"
    assert response.get_json()["title"] == "Not Found"


def test_a_method_that_is_not_allowed_says_which_are(client: FlaskClient) -> None:
    response = client.delete("/api/v1/photos")

    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
