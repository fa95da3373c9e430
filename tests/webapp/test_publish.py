"""Static files, which browsers load from the CDN."""

from http import HTTPStatus

import pytest
import urllib3
from flask.testing import FlaskClient

from photofleet.settings import get_settings
from tests.webapp.test_pages import Tags
from webapp.publish import publish


@pytest.fixture
def addresses(client: FlaskClient) -> dict[str, str]:
    """The addresses of what a page is made of, by kind of file."""
    publish()
    tags = Tags(client.get("/").text)
    links = [link["href"] for link in tags.named("link")] + [script["src"] for script in tags.named("script")]
    return {str(address).rsplit(".", 1)[-1]: str(address) for address in links}


@pytest.mark.parametrize(
    ("kind", "media_type", "lasting"),
    [("js", "text/javascript", True), ("css", "text/css", True), ("svg", "image/svg+xml", False)],
)
def test_the_cdn_serves_what_pages_refer_to(
    addresses: dict[str, str], kind: str, media_type: str, lasting: bool
) -> None:
    address = addresses[kind]
    assert address.startswith(f"{get_settings().renditions_url}/static/")
    response = urllib3.request("GET", address, headers={"Origin": "https://photos.example.com"})
    assert response.status == HTTPStatus.OK
    assert response.headers["Content-Type"] == media_type
    assert ("immutable" in response.headers["Cache-Control"]) == lasting
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    # A module of another origin runs only with its leave.
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_the_web_tier_serves_no_static_files(client: FlaskClient) -> None:
    assert client.get("/static/favicon.svg").status_code == HTTPStatus.NOT_FOUND
