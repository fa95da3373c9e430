"""People correct labels with the forms of the pages, which need no JavaScript."""

import re
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.results import FoundLabel, record_labels
from tests.photofleet.catalog.factories import DOG, ESPRESSO, PEMBROKE, create_finished_photo, create_photo
from tests.webapp.labels.test_api import finished, shown
from webapp.labels.corrections import MOST_PHOTOS


def say(client: FlaskClient, photo_id: UUID, what: str, label: str) -> str:
    """The page after a form was sent."""
    answer = client.post(f"/photos/{photo_id}/labels", data={"say": what, "label": label})
    assert answer.status_code == 303
    assert answer.location == f"/photos/{photo_id}#photo-labels"
    return client.get(answer.location).text


def test_a_label_can_be_confirmed_and_that_undone(client: FlaskClient, session: Session) -> None:
    photo_id = finished(session, PEMBROKE)
    before = client.get(f"/photos/{photo_id}").text
    assert 'aria-label="Confirm: Pembroke' in before

    assert "confirmed by you" in say(client, photo_id, "add", PEMBROKE)
    assert say(client, photo_id, "take-back", PEMBROKE) == before


def test_a_removed_label_is_remembered_quietly_and_can_be_put_back(client: FlaskClient, session: Session) -> None:
    photo_id = finished(session, PEMBROKE, ESPRESSO)

    page = say(client, photo_id, "remove", "dog")

    assert shown(session, photo_id) == [ESPRESSO]
    assert "removed by you" in page
    assert "Pembroke" not in page, "a kind goes without saying"
    say(client, photo_id, "take-back", "dog")
    assert shown(session, photo_id) == [PEMBROKE, ESPRESSO]


def test_a_label_can_be_added_by_any_of_its_words(client: FlaskClient, session: Session) -> None:
    photo_id = finished(session)

    page = say(client, photo_id, "add", "  Domestic  dogs ")

    assert shown(session, photo_id) == [DOG]
    assert "added by you" in page


def test_a_word_that_is_not_clear_is_answered_on_the_photos_page(client: FlaskClient, session: Session) -> None:
    photo_id = finished(session, PEMBROKE)

    crane = client.post(f"/photos/{photo_id}/labels", data={"say": "add", "label": "Crane"})
    nothing = client.post(f"/photos/{photo_id}/labels", data={"say": "add", "label": "<b>gluon"})

    assert (crane.status_code, nothing.status_code) == (400, 400)
    assert "crane (bird)" in crane.text
    (bird,) = re.findall(r'name="label" value="(n\d+)">\s*<button[^>]*>crane \(bird\)', crane.text)
    say(client, photo_id, "add", bird)
    assert shown(session, photo_id) == sorted([bird, PEMBROKE])
    assert "No label is called “&lt;b&gt;gluon”" in nothing.text


def test_a_photo_that_nobody_has_looked_at_yet_asks_for_no_labels(client: FlaskClient, session: Session) -> None:
    photo = create_photo(session)
    session.commit()

    assert 'id="label-add"' not in client.get(f"/photos/{photo.id}").text
    assert 'id="label-add"' in client.get(f"/photos/{finished(session)}").text


def test_labels_are_suggested_whether_a_photo_shows_them_or_not(client: FlaskClient) -> None:
    found = client.get("/labels/suggestions?q=Golden+re").text

    assert 'data-autocomplete-value="golden retriever"' in found
    assert client.get("/labels/suggestions?q=%25").text.strip() == ""
    assert client.get("/labels/suggestions").text.strip() == ""


def test_a_label_is_removed_from_a_selection_and_that_undone(client: FlaskClient, session: Session) -> None:
    photos = [finished(session, PEMBROKE), finished(session, PEMBROKE, ESPRESSO), finished(session, PEMBROKE)]
    chosen = [str(photo_id) for photo_id in photos[:2]]

    page = client.post("/labels", data={"photo": chosen, "say": "remove", "label": "dogs"}).text

    assert "“dog” removed from 2 photos." in page
    assert [shown(session, photo_id) for photo_id in photos] == [[], [ESPRESSO], [PEMBROKE]]
    undo = page[page.index("selection-outcome") : page.index("Undo")]
    assert sorted(re.findall(r'name="photo" value="([0-9a-f-]{36})"', undo)) == sorted(chosen)
    client.post("/labels", data={"photo": chosen, "say": "take-back", "label": DOG})
    assert [shown(session, photo_id) for photo_id in photos] == [[PEMBROKE], [PEMBROKE, ESPRESSO], [PEMBROKE]]


def test_each_card_can_be_selected(client: FlaskClient, session: Session) -> None:
    photo_id = finished(session, PEMBROKE)

    for address in ("/", f"/photos/cards?id={photo_id}", "/search?q=dog"):
        assert re.search(rf'name="photo" value="{photo_id}" form="selection"', client.get(address).text), address


def test_a_wrong_selection_is_told_what_is_wrong(client: FlaskClient, session: Session) -> None:
    photo_id = str(finished(session, PEMBROKE))
    for data, status, said in (
        ({"say": "add", "label": "dog"}, 400, "select at least one photo"),
        ({"say": "add", "label": "crane", "photo": [photo_id]}, 400, "crane (machine)"),
        ({"say": "add", "label": "", "photo": [photo_id]}, 400, "Please say which label."),
        ({"say": "sing", "label": "dog", "photo": [photo_id]}, 400, "`say` must be add, remove, take-back."),
        ({"say": "add", "label": "dog", "photo": ["1"]}, 400, "must be the id of a photo"),
        ({"say": "add", "label": "dog", "photo": [str(uuid7())]}, 404, "There is no photo"),
        ({"say": "add", "label": "dog", "photo": [photo_id] * (MOST_PHOTOS + 1)}, 400, f"At most {MOST_PHOTOS}"),
        ({"say": "add", "label": "dog" * 30_000}, 413, "too much"),
    ):
        answer = client.post("/labels", data=data)
        assert (answer.status_code, said in answer.text) == (status, True), answer.text
        if status == 400 and "crane" in said:
            assert photo_id in answer.text

    assert shown(session, UUID(photo_id)) == [PEMBROKE]


def test_labels_below_their_threshold_are_not_on_the_pages(client: FlaskClient, session: Session) -> None:
    photo = create_finished_photo(session)
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.01)])
    session.commit()

    for address in ("/", f"/photos/{photo.id}"):
        page = client.get(address).text
        assert "Pembroke" not in page
        assert "Nothing recognised" in page
