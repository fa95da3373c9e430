"""What other sites, and hostile pages, cannot do."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from photofleet.images.formats import Format
from photofleet.settings import get_settings
from tests.pictures import corners, encode
from tests.webapp.multipart import END, MULTIPART, part
from webapp.application import create_app


@pytest.mark.parametrize("address", ["/", "/search", "/api/v1/photos", "/nothing", "/healthz"])
def test_every_answer_allows_nothing_inline_and_of_the_cdn_only_what_we_put_there(
    client: FlaskClient, address: str
) -> None:
    headers = client.get(address).headers

    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    cdn = get_settings().renditions_url
    assert policy["script-src"] == policy["style-src"] == f"{cdn}/static/"
    assert policy["img-src"] == f"'self' data: {cdn}/renditions/ {cdn}/static/"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_pages_have_no_inline_script_or_style(client: FlaskClient) -> None:
    for address in ("/", "/search?q=dog", "/nothing"):
        page = client.get(address).text
        assert "<script>" not in page
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick=" not in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_page_of_another_site_cannot_upload_in_a_visitors_name(client: FlaskClient, headers: dict[str, str]) -> None:
    for address in ("/photos", "/api/v1/photos"):
        body = part(encode(corners(), Format.JPEG), "photo.jpg") + END
        response = client.post(address, headers=headers, data=body, content_type=MULTIPART)
        assert response.status_code == 403


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}])
def test_our_own_pages_and_programs_can_upload(client: FlaskClient, headers: dict[str, str]) -> None:
    body = part(encode(corners(), Format.JPEG), "photo.jpg") + END
    assert client.post("/photos", headers=headers, data=body, content_type=MULTIPART).status_code == 303


def test_a_name_that_is_not_ours_is_refused_except_for_health_checks(
    catalog: Engine, change_settings: Callable[..., None]
) -> None:
    def status(address: str, host: str) -> int:
        return create_app().test_client().get(address, headers={"Host": host}).status_code

    change_settings(hosts="photos.example, 127.0.0.1")
    assert status("/", "photos.example") == status("/", "PHOTOS.example:8000") == status("/", "127.0.0.1:8000") == 200
    assert status("/", "evil.example") == status("/", "evil.example:8000") == 400
    assert status("/readyz", "10.0.0.7") == 200
    change_settings(hosts="")
    assert status("/", "any.example") == 200


def test_the_id_of_a_request_is_ours_and_not_the_senders(client: FlaskClient) -> None:
    response = client.get("/", headers={"X-Request-ID": "forged"})

    assert response.headers["X-Request-ID"] != "forged"
