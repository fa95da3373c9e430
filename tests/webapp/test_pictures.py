"""What pages offer browsers to show a photo with, and until then."""

import base64
from collections.abc import Sequence
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from photofleet.catalog.models import LABEL, RESIZE, Photo, PhotoLabel, Stage
from photofleet.catalog.results import StoredRendition, record_renditions
from photofleet.settings import get_settings
from tests.photofleet.catalog.factories import PEMBROKE, create_finished_photo
from tests.webapp.test_pages import Tags

NAMES = {"jpeg": "jpg", "webp": "webp", "avif": "avif"}
JPEGS, WEBPS, AVIFS = ([(f"w{width}", format, width, "fit") for width in (160, 640)] for format in NAMES)
SQUARE = [("square", format, 400, "cover") for format in ("jpeg", "webp")]
ANIMATED = [("animated", "webp", 640, "animation")]


def create(
    session: Session,
    renditions: Sequence[tuple[str, str, int, str]],
    *,
    preview: bytes | None = b"a tiny WebP",
    colour: str = "#a0b0c0",
) -> Photo:
    """A finished photo with these renditions: name, format, width and mode of each."""
    photo = create_finished_photo(session, PEMBROKE)
    stored = [
        StoredRendition(name, format, width, width * 3 // 4, 900, key(photo.id, name, format), mode)
        for name, format, width, mode in renditions
    ]
    record_renditions(session, photo.id, stored, preview=preview, colour=colour, revision="current")
    session.commit()
    session.expire(photo)
    return photo


def key(photo_id: UUID, name: str, format: str) -> str:
    return f"renditions/{photo_id}/{name}-abcdef12.{NAMES[format]}"


def address(photo: Photo, name: str, format: str) -> str:
    return f"{get_settings().renditions_url}/{key(photo.id, name, format)}"


def pages_of(client: FlaskClient, photo: Photo) -> tuple[str, str]:
    """The gallery, and the photo's own page."""
    return client.get("/").text, client.get(f"/photos/{photo.id}").text


def unlabel(photo: Photo, session: Session) -> None:
    """Have the photo as it is before a model has labelled it."""
    session.execute(delete(PhotoLabel).where(PhotoLabel.photo_id == photo.id))
    session.execute(update(Photo).where(Photo.id == photo.id).values(labels_source=None))


def is_in(stage: str, state: str, photo: Photo, session: Session) -> None:
    """Have a stage of the photo in this state."""
    error = "Something in it is broken." if state == "failed" else None
    of_it = (Stage.photo_id == photo.id, Stage.name == stage)
    session.execute(update(Stage).where(*of_it).values(state=state, error=error))
    session.commit()


def test_a_browser_may_choose_among_all_sizes_of_the_best_format_that_it_reads(
    client: FlaskClient, session: Session
) -> None:
    photo = create(session, JPEGS + WEBPS + AVIFS)

    for page in pages_of(client, photo):
        tags = Tags(page)
        assert [source["type"] for source in tags.named("source")] == ["image/avif", "image/webp"]
        for source, format in zip(tags.named("source"), ("avif", "webp"), strict=True):
            small, large = address(photo, "w160", format), address(photo, "w640", format)
            assert source["srcset"] == f"{small} 160w, {large} 640w"
        (picture,) = tags.named("img")
        assert (picture["src"], picture["width"], picture["height"]) == (address(photo, "w640", "jpeg"), "640", "480")
        assert picture["srcset"] == f"{address(photo, 'w160', 'jpeg')} 160w, {address(photo, 'w640', 'jpeg')} 640w"


def test_a_format_that_has_not_all_sizes_is_not_offered_as_a_small_screen_would_load_a_large_file(
    client: FlaskClient, session: Session
) -> None:
    photo = create(session, JPEGS + WEBPS + AVIFS[1:])

    for page in pages_of(client, photo):
        assert [source["type"] for source in Tags(page).named("source")] == ["image/webp"]


def test_renditions_that_are_no_longer_declared_are_shown_until_there_are_others(
    client: FlaskClient, session: Session
) -> None:
    photo = create(session, [("former", "jpeg", 333, "fit")])

    for page in pages_of(client, photo):
        (picture,) = Tags(page).named("img")
        assert picture["src"] == address(photo, "former", "jpeg")


def test_a_photo_that_moves_does_so_on_its_own_page_where_motion_is_welcome(
    client: FlaskClient, session: Session
) -> None:
    photo = create(session, JPEGS + WEBPS + ANIMATED)

    gallery, own_page = pages_of(client, photo)

    first, *others = Tags(own_page).named("source")
    assert first["media"] == "(prefers-reduced-motion: no-preference)"
    assert first["srcset"] == f"{address(photo, 'animated', 'webp')} 640w"
    assert not any("media" in source for source in others)
    assert address(photo, "animated", "webp") not in gallery
    assert "Animation" in gallery


def test_crops_are_listed_by_name_and_never_taken_for_the_whole_picture(client: FlaskClient, session: Session) -> None:
    photo = create(session, JPEGS + WEBPS + SQUARE + ANIMATED)

    gallery, own_page = pages_of(client, photo)

    tags = Tags(own_page)
    assert "square" not in gallery
    assert not any("square" in (source["srcset"] or "") for source in tags.named("source") + tags.named("img"))
    links = {link["href"]: link.get("aria-label") for link in tags.named("a")}
    assert links[address(photo, "w160", "webp")] == "WebP, 160 × 120 pixels, 900 bytes"
    assert links[address(photo, "square", "jpeg")] == "JPEG, square, 400 × 300 pixels, 900 bytes"
    assert links[address(photo, "animated", "webp")] == "WebP, animated, 640 × 480 pixels, 900 bytes"


def test_the_table_of_sizes_has_a_column_for_each_format_that_there_is(client: FlaskClient, session: Session) -> None:
    _, without = pages_of(client, create(session, JPEGS + WEBPS))
    _, with_avif = pages_of(client, create(session, JPEGS + WEBPS + AVIFS[:1]))

    assert '<th scope="col">AVIF</th>' not in without
    assert '<th scope="col">WebP</th><th scope="col">AVIF</th>' in with_avif


def test_until_a_picture_is_there_its_preview_is(client: FlaskClient, session: Session) -> None:
    photo = create(session, JPEGS + WEBPS)

    for page in pages_of(client, photo):
        tags = Tags(page)
        (backdrop,) = (rect for rect in tags.named("rect") if rect.get("fill"))
        (preview,) = tags.named("image")
        assert backdrop["fill"] == "#a0b0c0"
        data = (preview["href"] or "").removeprefix("data:image/webp;base64,")
        assert base64.b64decode(data, validate=True) == b"a tiny WebP"
        assert page.index("<image") < page.index("<picture")


def test_a_picture_without_preview_has_nothing_behind_it_that_would_shine_through(
    client: FlaskClient, session: Session
) -> None:
    for page in pages_of(client, create(session, JPEGS + WEBPS, preview=None)):
        assert "data:" not in page
        assert "#a0b0c0" not in page
        assert Tags(page).named("picture")


@pytest.mark.parametrize("state", ["waiting", "running", "failed"])
@pytest.mark.parametrize("stage", [RESIZE, LABEL])
def test_a_photo_whose_renditions_or_labels_are_made_anew_looks_finished_however_that_goes(
    client: FlaskClient, session: Session, stage: str, state: str
) -> None:
    photo = create(session, JPEGS + WEBPS)
    before = pages_of(client, photo)

    is_in(stage, state, photo, session)

    assert pages_of(client, photo) == before
    for page in before:
        assert "data-live=" not in page
        assert "data-failed=" not in page


def test_a_photo_that_a_version_before_has_labelled_looks_finished_while_it_is_labelled_anew(
    client: FlaskClient, session: Session
) -> None:
    photo = create(session, JPEGS + WEBPS)
    before = pages_of(client, photo)

    session.execute(update(Photo).where(Photo.id == photo.id).values(labels_source=None))
    is_in(LABEL, "waiting", photo, session)

    assert pages_of(client, photo) == before


def test_what_a_person_adds_does_not_end_the_waiting_for_labels(client: FlaskClient, session: Session) -> None:
    photo = create(session, JPEGS + WEBPS)
    unlabel(photo, session)
    session.add(PhotoLabel(photo_id=photo.id, source="person:everybody", label_id=PEMBROKE, confidence=1))
    is_in(LABEL, "waiting", photo, session)

    assert client.get(f"/api/v1/photos/{photo.id}").get_json()["finished"] is False


@pytest.mark.parametrize("state", ["waiting", "running", "failed"])
@pytest.mark.parametrize(("stage", "other"), [(RESIZE, LABEL), (LABEL, RESIZE)])
def test_programs_are_told_that_such_a_photo_is_finished_and_what_its_stage_is_at(
    client: FlaskClient, session: Session, stage: str, other: str, state: str
) -> None:
    photo = create(session, JPEGS + WEBPS)
    is_in(stage, state, photo, session)

    found = client.get(f"/api/v1/photos/{photo.id}").get_json()

    assert found["finished"] is True
    assert {stage["name"]: stage["state"] for stage in found["stages"]} == {stage: state, other: "done"}


@pytest.mark.parametrize("stage", [RESIZE, LABEL])
def test_programs_are_told_that_a_photo_is_not_finished_while_its_picture_or_its_labels_are_awaited(
    client: FlaskClient, session: Session, stage: str
) -> None:
    photo = create(session, JPEGS if stage == LABEL else [])
    unlabel(photo, session)
    is_in(stage, "running", photo, session)

    assert client.get(f"/api/v1/photos/{photo.id}").get_json()["finished"] is False


def test_labels_are_waited_for_even_while_renditions_are_made_anew(client: FlaskClient, session: Session) -> None:
    photo = create(session, JPEGS + WEBPS)
    unlabel(photo, session)
    is_in(RESIZE, "waiting", photo, session)
    is_in(LABEL, "waiting", photo, session)

    for page in pages_of(client, photo):
        assert [attributes["data-live"] for _, attributes in Tags(page).found if "data-live" in attributes] == [
            str(photo.id)
        ]


def test_programs_are_told_the_preview_the_colour_and_how_each_rendition_got_into_its_box(
    client: FlaskClient, session: Session
) -> None:
    photo = create(session, JPEGS + SQUARE + ANIMATED)

    found = client.get(f"/api/v1/photos/{photo.id}").get_json()

    assert (found["preview"], found["colour"]) == ("data:image/webp;base64,YSB0aW55IFdlYlA=", "#a0b0c0")
    modes = {(rendition["name"], rendition["mode"]) for rendition in found["renditions"]}
    assert modes == {("w160", "fit"), ("w640", "fit"), ("square", "cover"), ("animated", "animation")}


def test_programs_are_told_if_there_is_no_preview(client: FlaskClient, session: Session) -> None:
    photo = create(session, JPEGS, preview=None)

    assert client.get(f"/api/v1/photos/{photo.id}").get_json()["preview"] is None
