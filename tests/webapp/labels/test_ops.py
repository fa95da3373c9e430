"""The operations page of labels: how right the models are, and from which confidence labels are shown."""

import logging
import re
from collections.abc import Callable
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from photofleet.catalog.corrections import add_label, remove_label
from photofleet.catalog.models import Label
from tests.photofleet.catalog.factories import ESPRESSO, PEMBROKE, TABBY, create_finished_photo
from tests.webapp.labels.test_api import finished, shown
from webapp.application import create_app
from webapp.ops.precision import precision


@pytest.fixture
def client(client: FlaskClient, change_settings: Callable[..., None]) -> FlaskClient:
    """As on a site that answers to any name, so that only the page's own guard says who may see it."""
    change_settings(hosts="")
    app = create_app()
    app.testing = False
    return app.test_client()


def row(page: str, name: str) -> list[str]:
    """The cells of a table's row, as text with single blanks."""
    page = page.replace("\N{NARROW NO-BREAK SPACE}", " ")
    (found,) = (row for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL) if re.search(rf">\s*{name}", row))
    cells = re.findall(r"<t[dh].*?</t[dh]>", found, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", "", cell).split()) for cell in cells]


def test_a_label_says_how_often_people_found_it_right_and_wrong(client: FlaskClient, session: Session) -> None:
    photos: list[UUID] = [create_finished_photo(session, PEMBROKE).id for _ in range(10)]
    add_label(session, photos[:8], PEMBROKE, person="ada")
    remove_label(session, photos[8:], PEMBROKE, person="ada")
    add_label(session, photos[:1], TABBY, person="ada")
    session.commit()

    page = client.get("/ops/labels").text

    assert row(page, "Pembroke")[1:5] == ["8", "2", "0", "80 % (49 % – 94 %)"]
    assert row(page, "tabby")[1:5] == ["0", "0", "1", "–"]
    assert "espresso" not in page


def test_a_label_without_corrections_is_found_by_its_words(client: FlaskClient) -> None:
    assert client.get("/ops/labels?q=espressos").location == f"/ops/labels/{ESPRESSO}"
    assert "crane (machine)" in client.get("/ops/labels?q=crane").text


def test_a_threshold_is_set_where_it_says_what_that_hides_and_counts_at_once(
    client: FlaskClient, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    photo_id = finished(session, PEMBROKE)
    address = f"/ops/labels/{PEMBROKE}"
    page = client.get(address).text
    assert row(page, "90 %")[:3] == ["90 %", "1", "–"]

    with caplog.at_level(logging.INFO, "webapp.ops.labels"):
        assert client.post(address, data={"percent": "92,5 %"}).location == address

    assert shown(session, photo_id) == []
    page = client.get(address).text
    assert "an operator has set" in page
    assert 'value="92.5"' in page
    assert row(page, "90 %")[:3] == ["90 %", "1", "+1"]
    assert "0.925" in caplog.text

    client.post(address, data={"reset": "yes", "percent": "92.5"})
    assert shown(session, photo_id) == [PEMBROKE]


@pytest.mark.parametrize("percent", ["", "x", "-1", "100.1", "nan", "inf", "1e400", "\0", "50 50"])
def test_what_is_no_percentage_is_refused(client: FlaskClient, session: Session, percent: str) -> None:
    answer = client.post(f"/ops/labels/{PEMBROKE}", data={"percent": percent})

    assert answer.status_code == 400
    assert "must be a number from 0 to 100" in answer.text
    session.expire_all()
    assert session.get_one(Label, PEMBROKE).adjusted_threshold is None


def test_a_label_that_is_for_people_alone_has_no_threshold_to_set(client: FlaskClient, session: Session) -> None:
    mammal = "n01861778"
    finished(session, mammal)
    add_label(session, [create_finished_photo(session, PEMBROKE).id], mammal, person="ada")
    session.commit()

    page = client.get(f"/ops/labels/{mammal}").text

    assert "there is no threshold to set" in page
    assert "<form" not in page.split("<main")[1]
    assert row(client.get("/ops/labels").text, "mammal")[-1] == "never"
    refused = client.post(f"/ops/labels/{mammal}", data={"percent": "50"})
    assert refused.status_code == 409
    assert "there is no threshold to set" in refused.text
    assert session.get_one(Label, mammal).adjusted_threshold is None


def test_a_label_that_is_not_there_is_a_page_that_says_so(client: FlaskClient) -> None:
    assert client.get("/ops/labels/n00000000").status_code == 404
    assert client.get("/ops/labels/%00").status_code == 404
    assert client.post("/ops/labels/%00", data={"percent": "50"}).status_code == 404
    assert client.post("/ops/labels/n00000000", data={"percent": "50"}).status_code == 404


def test_for_everybody_but_the_operator_there_is_nothing(client: FlaskClient, session: Session) -> None:
    nothing = client.get("/nothing", headers={"X-Forwarded-For": "203.0.113.9"})
    for method, address in (
        ("GET", "/ops/labels"),
        ("GET", f"/ops/labels/{PEMBROKE}"),
        ("POST", f"/ops/labels/{PEMBROKE}"),
    ):
        answer = client.open(address, method=method, headers={"X-Forwarded-For": "203.0.113.9"}, data={"percent": "1"})
        assert (answer.status_code, answer.text) == (404, nothing.text)

    assert session.get_one(Label, PEMBROKE).adjusted_threshold is None


def test_what_only_the_operator_may_see_is_not_kept(client: FlaskClient) -> None:
    assert client.get("/ops/labels").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("right", "wrong", "low", "high"),
    # Of R's binom::binom.wilson.
    [(0, 10, 0.0, 0.2775), (10, 0, 0.7225, 1.0), (81, 263 - 81, 0.2553, 0.3662), (1, 0, 0.2065, 1.0)],
)
def test_the_interval_is_wilsons(right: int, wrong: int, low: float, high: float) -> None:
    found = precision(right, wrong)

    assert found is not None
    assert [found.low, found.high] == pytest.approx([low, high], abs=1e-4)


def test_nothing_is_known_of_a_label_that_nobody_judged() -> None:
    assert precision(0, 0) is None
