"""Uploading through the API."""

import hashlib
import json
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import boto3
import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from photofleet.catalog.models import Photo
from photofleet.images.formats import Format
from photofleet.settings import get_settings
from tests.photofleet.broker.queues import Queues
from tests.pictures import corners, encode, gif_of, jpeg_claiming, png_chunk, png_with
from tests.webapp.conftest import Upload
from tests.webapp.multipart import END, MULTIPART, part
from webapp.application import create_app

JPEG = encode(corners(64, 48), Format.JPEG)


@pytest.fixture
def originals(service: None) -> Callable[[], set[str]]:
    """A function that lists the keys in the originals bucket."""
    s3 = boto3.client("s3")

    def keys() -> set[str]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=get_settings().originals_bucket)
        return {item["Key"] for page in pages for item in page.get("Contents", [])}

    return keys


def test_a_photo_is_stored_announced_and_answered_with_what_is_known_of_it(
    upload: Upload, queues: Queues, originals: Callable[[], set[str]]
) -> None:
    response = upload(JPEG, "Ünïcode name.jpg")

    assert response.status_code == 201
    photo = response.get_json()
    assert response.headers["Location"] == f"/api/v1/photos/{photo['id']}"
    assert photo["url"] == f"/photos/{photo['id']}"
    assert (photo["format"], photo["width"], photo["height"], photo["size"]) == ("jpeg", 64, 48, len(JPEG))
    assert photo["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert photo["filename"] == "Ünïcode name.jpg"
    assert (photo["duplicate"], photo["finished"]) == (False, False)
    assert {stage["name"]: stage["state"] for stage in photo["stages"]} == {"resize": "waiting", "label": "waiting"}
    assert f"originals/{photo['id']}" in originals()
    (message,) = queues.bodies("RESIZE_QUEUE")
    assert json.loads(json.loads(message)["body"])[1] == {
        "photo_id": photo["id"],
        "request_id": response.headers["X-Request-ID"],
    }


def test_the_original_is_kept_byte_for_byte(upload: Upload) -> None:
    photo = upload(JPEG).get_json()

    kept = boto3.client("s3").get_object(Bucket=get_settings().originals_bucket, Key=f"originals/{photo['id']}")

    assert kept["Body"].read() == JPEG
    assert kept["ContentType"] == "image/jpeg"


def test_the_same_bytes_again_are_answered_with_the_photo_that_is_there(
    upload: Upload, queues: Queues, originals: Callable[[], set[str]]
) -> None:
    first = upload(JPEG, "one.jpg")
    before = originals()

    second = upload(JPEG, "two.jpg")

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.get_json()["id"] == first.get_json()["id"]
    assert second.get_json()["duplicate"] is True
    assert originals() == before
    assert queues.counts("RESIZE_QUEUE") == (1, 0), "it is announced once"


def test_the_same_bytes_at_the_same_time_become_one_photo(
    catalog: Engine, queues: Queues, originals: Callable[[], set[str]]
) -> None:
    app = create_app()
    before = originals()

    def post(_: int) -> tuple[int, str]:
        response = app.test_client().post("/api/v1/photos", data={"photo": (BytesIO(JPEG), "photo.jpg")})
        return response.status_code, response.get_json()["id"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(8)))

    assert sorted(status for status, _ in answers) == [200] * 7 + [201]
    assert len({photo_id for _, photo_id in answers}) == 1
    assert len(originals() - before) == 1
    assert queues.counts("RESIZE_QUEUE") == (1, 0)


@pytest.mark.parametrize("format", list(Format))
def test_every_accepted_format_is_told_by_its_content_whatever_its_name(upload: Upload, format: Format) -> None:
    response = upload(encode(corners(64, 48), format), "photo.txt")

    assert response.status_code == 201
    assert response.get_json()["format"] == format.value


REFUSALS = [
    pytest.param(b"", 422, "empty-file", "empty", id="an empty file"),
    pytest.param(b"Dear diary\n" * 99, 415, "unsupported-format", "JPEG, PNG", id="a text file named .jpg"),
    pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported-format", "JPEG", id="an SVG"),
    pytest.param(jpeg_claiming(60_000, 60_000), 422, "too-many-pixels", "3,600 megapixels", id="60,000 × 60,000"),
    pytest.param(gif_of(10_000), 422, "too-many-frames", "1,000", id="a GIF of 10,000 frames"),
    pytest.param(gif_of(900, (1000, 1000)), 422, "too-many-pixels", "900 megapixels", id="pixels over all frames"),
    pytest.param(
        png_with(png_chunk(b"tEXt", b"k\0" + bytes(40_000_000))), 422, "too-much-metadata", "metadata",
        id="a PNG with a huge text chunk",
    ),
    pytest.param(JPEG[:20], 422, "unreadable-image", "damaged", id="a JPEG cut off in its header"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "status", "problem", "words"), REFUSALS)
def test_bad_input_is_refused_in_words_and_nothing_of_it_is_kept(
    upload: Upload,
    session: Session,
    queues: Queues,
    originals: Callable[[], set[str]],
    data: bytes,
    status: int,
    problem: str,
    words: str,
) -> None:
    before = originals()

    response = upload(data)

    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    details = response.get_json()
    assert details["type"] == f"urn:photofleet:problem:{problem}"
    assert details["status"] == status
    assert details["title"]
    assert words in details["detail"]
    assert details["instance"] == f"urn:photofleet:request:{response.headers['X-Request-ID']}"
    assert originals() == before
    assert session.scalar(select(func.count()).select_from(Photo)) == 0
    assert queues.counts("RESIZE_QUEUE") == (0, 0)


def test_a_truncated_photo_is_taken_as_its_header_is_whole_and_fails_where_it_is_decoded(upload: Upload) -> None:
    assert upload(encode(corners(800, 600), Format.JPEG)[:4000]).status_code == 201


@pytest.mark.parametrize(
    ("filename", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\\\..\\\\cat.jpg", "cat.jpg"),
        ("a\"b'c;d.jpg", "a\"b'c;d.jpg"),
        ("one\r\ntwo.jpg", "onetwo.jpg"),
        ("<script>alert(1)</script>", "script>"),
        ("x" * 10_000, "x" * 255),
        ("gpj.\u202eexe", "gpj.exe"),
        (" \t ", "untitled"),
    ],
)
def test_a_filename_is_only_ever_shown(client: FlaskClient, filename: str, shown: str) -> None:
    sent = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")  # as browsers do
    response = client.post("/api/v1/photos", data=part(JPEG, sent) + END, content_type=MULTIPART)

    assert response.status_code == 201
    photo = response.get_json()
    assert photo["filename"] == shown
    page = client.get(photo["url"])
    assert page.status_code == 200
    assert "<script>alert" not in page.text


def test_a_header_that_a_filename_breaks_is_refused(client: FlaskClient) -> None:
    response = client.post("/api/v1/photos", data=part(JPEG, "one\r\ntwo.jpg") + END, content_type=MULTIPART)

    assert response.status_code == 422


def test_a_form_without_a_file_is_refused(client: FlaskClient) -> None:
    for data in ({"photo": "text"}, {"photo": (BytesIO(b""), "")}, {"picture": (BytesIO(JPEG), "a.jpg")}):
        response = client.post("/api/v1/photos", data=data, content_type="multipart/form-data")
        assert (response.status_code, response.get_json()["type"]) == (422, "urn:photofleet:problem:no-file")


@pytest.mark.parametrize("kind", ["image/jpeg", "application/x-www-form-urlencoded", "application/json", ""])
def test_what_is_not_multipart_is_refused_unread(client: FlaskClient, kind: str) -> None:
    body = BytesIO(b"a&" * 5_000_000)

    tracemalloc.start()
    try:
        response = client.post("/api/v1/photos", input_stream=body, content_type=kind)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (response.status_code, response.get_json()["type"]) == (415, "urn:photofleet:problem:not-a-form")
    assert peak < 2_000_000


@pytest.mark.parametrize(
    "body",
    [
        b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n' + bytes(600_000) + b"\r\n--b--\r\n",
        b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n' * 200 + b"--b--\r\n",
    ],
    ids=["much text", "many fields"],
)
def test_a_form_full_of_other_things_is_refused(client: FlaskClient, body: bytes) -> None:
    response = client.post("/api/v1/photos", data=body, content_type=MULTIPART)

    assert response.status_code == 413
    assert "too many fields, or too much text" in response.get_json()["detail"]


def test_one_request_of_the_api_takes_one_photo(client: FlaskClient) -> None:
    files = [(BytesIO(JPEG), "one.jpg"), (BytesIO(JPEG), "two.jpg")]

    response = client.post("/api/v1/photos", data={"photo": files})

    assert response.status_code == 413
    assert "one photo" in response.get_json()["detail"]


def test_a_file_over_the_limit_is_refused_with_the_limit(
    upload: Upload, change_settings: Callable[..., None], originals: Callable[[], set[str]]
) -> None:
    change_settings(upload_max_bytes=2_000_000)
    before = originals()

    response = upload(JPEG + bytes(3_000_000))

    assert response.status_code == 413
    assert response.get_json()["type"] == "urn:photofleet:problem:file-too-large"
    assert "at most 2 MB" in response.get_json()["detail"]
    assert originals() == before


def test_200_files_at_once_are_refused(client: FlaskClient, session: Session) -> None:
    response = client.post("/photos", data=part(JPEG, "cat.jpg") * 200 + END, content_type=MULTIPART)

    assert response.status_code == 413
    assert "at most 50 photos at once" in response.text
    assert session.scalar(select(func.count()).select_from(Photo)) == 0


def test_an_upload_succeeds_while_the_topic_is_down(
    upload: Upload, session: Session, queues: Queues, topic_is_down: None
) -> None:
    response = upload(JPEG)

    assert response.status_code == 201
    assert queues.counts("RESIZE_QUEUE") == (0, 0)
    photo = session.get_one(Photo, response.get_json()["id"])
    assert photo.announced_at is None, "the sweeper is to announce it"


def test_while_s3_is_down_an_upload_is_refused_for_now_and_nothing_is_stored(
    upload: Upload, session: Session, change_settings: Callable[..., None]
) -> None:
    change_settings(originals_bucket="there-is-no-such-bucket")

    response = upload(JPEG)

    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert response.get_json()["type"] == "urn:photofleet:problem:unavailable"
    assert session.scalar(select(func.count()).select_from(Photo)) == 0


def test_when_the_row_cannot_be_stored_the_original_does_not_stay(
    upload: Upload, session: Session, catalog: Engine, originals: Callable[[], set[str]]
) -> None:
    before = originals()
    with catalog.begin() as connection:
        connection.execute(text("ALTER TABLE stages RENAME TO stages_elsewhere"))
    try:
        response = upload(JPEG)
    finally:
        with catalog.begin() as connection:
            connection.execute(text("ALTER TABLE stages_elsewhere RENAME TO stages"))

    assert response.status_code == 500
    assert originals() == before
    assert session.scalar(select(func.count()).select_from(Photo)) == 0
