"""Programs correct labels."""

from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from photofleet.catalog.corrections import MOST_LABELS, add_label
from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.models import Label
from photofleet.catalog.photos import get_photo
from tests.photofleet.catalog.factories import DOG, ESPRESSO, PEMBROKE, TABBY, create_finished_photo
from webapp.labels.corrections import MOST_PHOTOS


def finished(session: Session, *label_ids: str) -> UUID:
    photo_id: UUID = create_finished_photo(session, *label_ids).id
    session.commit()
    return photo_id


def shown(session: Session, photo_id: UUID) -> list[str]:
    """The labels that a photo shows."""
    session.rollback()
    session.expire_all()
    photo = get_photo(session, photo_id)
    assert photo is not None
    return sorted(label.id for label in photo.shown_labels)


def test_a_label_is_added_by_its_name_and_the_photo_comes_back(client: FlaskClient, session: Session) -> None:
    photo_id = finished(session, ESPRESSO)

    answer = client.put(f"/api/v1/photos/{photo_id}/labels/DOGS")

    assert answer.status_code == 200
    (added,) = (label for label in answer.get_json()["labels"] if label["id"] == DOG)
    assert (added["name"], added["confidence"], added["source"]) == ("dog", 1, "person:everybody")
    assert shown(session, photo_id) == sorted([DOG, ESPRESSO])


def test_a_label_is_removed_with_its_kinds_and_taken_back(client: FlaskClient, session: Session) -> None:
    photo_id = finished(session, PEMBROKE, ESPRESSO)

    assert client.delete(f"/api/v1/photos/{photo_id}/labels/dog").status_code == 200
    assert shown(session, photo_id) == [ESPRESSO]

    answer = client.delete(f"/api/v1/photos/{photo_id}/corrections/{DOG}")
    assert sorted(label["id"] for label in answer.get_json()["labels"]) == [PEMBROKE, ESPRESSO]


def test_many_photos_are_corrected_by_one_request(client: FlaskClient, session: Session) -> None:
    corgi, coffee = finished(session, PEMBROKE), finished(session, ESPRESSO)

    answer = client.post(
        "/api/v1/corrections",
        json={"photos": [str(corgi), str(coffee)], "add": ["tabby cat"], "remove": ["dog", "espresso"]},
    )

    assert answer.status_code == 200
    assert [photo["id"] for photo in answer.get_json()["photos"]] == [str(coffee), str(corgi)]
    assert shown(session, corgi) == shown(session, coffee) == [TABBY]


def test_a_request_of_which_a_part_is_wrong_changes_nothing(client: FlaskClient, session: Session) -> None:
    photo_id, unknown = finished(session, PEMBROKE), uuid7()

    for body in (
        {"photos": [str(photo_id)], "remove": ["dog"], "add": ["gluon"]},
        {"photos": [str(photo_id), str(unknown)], "remove": ["dog"]},
    ):
        answer = client.post("/api/v1/corrections", json=body)
        assert answer.status_code == 404
        assert answer.content_type == "application/problem+json"
        assert any(name in answer.get_json()["detail"] for name in ("gluon", str(unknown)))

    assert shown(session, photo_id) == [PEMBROKE]


def test_a_word_of_several_meanings_is_answered_with_these(client: FlaskClient, session: Session) -> None:
    photo_id = finished(session)

    answer = client.put(f"/api/v1/photos/{photo_id}/labels/crane")

    assert answer.status_code == 409
    assert answer.get_json()["type"] == "urn:photofleet:problem:ambiguous-label"
    assert {choice["name"] for choice in answer.get_json()["choices"]} == {"crane (bird)", "crane (machine)"}
    bird = next(choice["id"] for choice in answer.get_json()["choices"] if choice["name"] == "crane (bird)")
    assert client.put(f"/api/v1/photos/{photo_id}/labels/{bird}").status_code == 200
    assert shown(session, photo_id) == [bird]


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("PUT", "/api/v1/photos/{unknown}/labels/dog"),
        ("DELETE", "/api/v1/photos/{unknown}/labels/dog"),
        ("DELETE", "/api/v1/photos/{unknown}/corrections/dog"),
        ("PUT", "/api/v1/photos/{photo}/labels/gluon"),
        ("PUT", "/api/v1/photos/{photo}/labels/%00"),
        ("PUT", "/api/v1/photos/{photo}/labels/%F0%9F%90%95"),
        ("PUT", "/api/v1/photos/1/labels/dog"),
    ],
)
def test_what_is_not_there_is_said(client: FlaskClient, session: Session, method: str, address: str) -> None:
    photo_id = finished(session)

    answer = client.open(address.format(unknown=uuid7(), photo=photo_id), method=method)

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert shown(session, photo_id) == []


ID = "019aa4d2-7e31-7c55-a9ce-0242ac120002"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("{", "JSON object"),
        ("[]", "JSON object"),
        ({}, "photos"),
        ({"photos": [ID]}, "at least one label"),
        ({"photos": [], "add": ["dog"]}, "at least one photo"),
        ({"photos": ID, "add": ["dog"]}, "list of strings"),
        ({"photos": ["1"], "add": ["dog"]}, "ids of photos"),
        ({"photos": [ID], "add": [7]}, "list of strings"),
        ({"photos": [ID], "add": ["dog"] * 21}, "at most 20"),
        ({"photos": [ID], "add": ["d" * 101]}, "at most 100 characters"),
        ({"photos": [ID] * (MOST_PHOTOS + 1), "add": ["dog"]}, f"at most {MOST_PHOTOS}"),
        ({"photos": [ID] * 200, "add": ["dog"] * 6}, "At most 1000 corrections"),
        ({"photos": [ID], "set": ["dog"]}, "`set`"),
        ({"photos": ["x" * 70_000], "add": ["dog"]}, "64 kB"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(client: FlaskClient, body: Any, named: str) -> None:
    said = {"data": body, "content_type": "application/json"} if isinstance(body, str) else {"json": body}

    answer = client.post("/api/v1/corrections", **said)

    assert answer.status_code == 400
    assert named in answer.get_json()["detail"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_another_sites_page_corrects_nothing(client: FlaskClient, session: Session, method: str) -> None:
    photo_id = finished(session, PEMBROKE)

    answer = client.open(
        f"/api/v1/photos/{photo_id}/labels/dog", method=method, headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert answer.status_code == 403
    assert shown(session, photo_id) == [PEMBROKE]


def test_halves_of_characters_are_no_label(client: FlaskClient, session: Session) -> None:
    photo_id = finished(session)

    answer = client.post("/api/v1/corrections", json={"photos": [str(photo_id)], "add": ["gluon\ud800"]})

    assert (answer.status_code, "“gluon”" in answer.get_json()["detail"]) == (404, True)


def test_a_photo_of_which_people_have_said_enough_takes_no_more_labels(client: FlaskClient, session: Session) -> None:
    photo_id = finished(session)
    for label in session.scalars(select(Label).where(Label.id != TABBY).order_by(Label.id).limit(MOST_LABELS)):
        add_label(session, [photo_id], label.id, person="everybody")
    session.commit()
    before = shown(session, photo_id)

    by_program = client.put(f"/api/v1/photos/{photo_id}/labels/{TABBY}")
    by_form = client.post(f"/photos/{photo_id}/labels", data={"say": "add", "label": TABBY})
    by_selection = client.post("/labels", data={"photo": [str(photo_id)], "say": "add", "label": TABBY})

    assert by_program.get_json()["type"] == "urn:photofleet:problem:too-many-labels"
    for answer in (by_program, by_form, by_selection):
        assert (answer.status_code, f"at most {MOST_LABELS} labels" in answer.text) == (409, True)
    assert shown(session, photo_id) == before
