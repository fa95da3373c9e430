"""Uploading through the form, as a browser without JavaScript does."""

from io import BytesIO

import pytest
from botocore.exceptions import EndpointConnectionError
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from photofleet import storage
from photofleet.catalog.models import Photo
from photofleet.images.formats import Format
from tests.pictures import corners, encode

JPEG = encode(corners(64, 48), Format.JPEG)
PNG = encode(corners(64, 48), Format.PNG)


def test_many_photos_are_stored_and_shown_in_the_gallery(client: FlaskClient, session: Session) -> None:
    response = client.post("/photos", data={"photo": [(BytesIO(JPEG), "one.jpg"), (BytesIO(PNG), "two.png")]})

    assert (response.status_code, response.headers["Location"]) == (303, "/")
    assert session.scalar(select(func.count()).select_from(Photo)) == 2
    gallery = client.get("/").text
    for photo in session.scalars(select(Photo)):
        assert f"/photos/{photo.id}" in gallery


def test_what_is_refused_is_named_with_its_reason_and_the_rest_is_stored(client: FlaskClient, session: Session) -> None:
    files = [(BytesIO(JPEG), "good.jpg"), (BytesIO(b"text"), "<b>bad</b>.jpg"), (BytesIO(b""), "empty.jpg")]

    response = client.post("/photos", data={"photo": files})

    assert response.status_code == 200
    assert session.scalar(select(func.count()).select_from(Photo)) == 1
    assert "b&gt;.jpg" in response.text
    assert "<b>bad" not in response.text
    assert "This is not a picture we can read." in response.text
    assert "The file is empty." in response.text


def test_when_all_is_refused_the_answer_says_so_in_its_status(client: FlaskClient) -> None:
    response = client.post("/photos", data={"photo": [(BytesIO(b"text"), "bad.jpg")]})

    assert response.status_code == 415


def test_what_was_stored_before_a_failure_is_not_said_to_be_lost(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_for_png(*arguments: object) -> None:
        if "image/png" in arguments:
            raise EndpointConnectionError(endpoint_url="s3")
        return put_original(*arguments)  # type: ignore[arg-type]

    put_original = storage.put_original
    monkeypatch.setattr(storage, "put_original", fail_for_png)

    response = client.post("/photos", data={"photo": [(BytesIO(JPEG), "one.jpg"), (BytesIO(PNG), "two.png")]})

    assert response.status_code == 200
    assert session.scalar(select(func.count()).select_from(Photo)) == 1
    assert "two.png" in response.text
    assert "could not be stored right now" in response.text


def test_a_form_without_a_file_says_what_to_do(client: FlaskClient) -> None:
    # A browser sends an empty file without a name when none was chosen.
    response = client.post("/photos", data={"photo": (BytesIO(b""), "")}, content_type="multipart/form-data")

    assert response.status_code == 422
    assert "Choose one or more photos" in response.text
