"""The workers' transfers to and from the real S3."""

import os
import random
import threading
from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import BytesIO
from typing import Any
from unittest.mock import patch
from uuid import UUID

import boto3
import pytest
from botocore.exceptions import ClientError

from photofleet import storage
from photofleet.catalog.identifiers import uuid7
from photofleet.settings import get_settings
from photofleet.transfers import (
    CONNECTIONS,
    PART_BYTES,
    DamagedTransferError,
    RenditionUploads,
    get_original,
)
from tests.fault_proxy import Fault, FaultProxy


@pytest.fixture
def faults(service: None) -> Iterator[FaultProxy]:
    """A proxy between this process and S3, which makes faults."""
    with FaultProxy(os.environ["AWS_ENDPOINT_URL"]) as proxy:
        with patch.dict(os.environ, AWS_ENDPOINT_URL=proxy.address):
            storage.s3.cache_clear()
            yield proxy
        storage.s3.cache_clear()


def content_of(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def store(content: bytes) -> UUID:
    photo_id = uuid7()
    storage.put_original(photo_id, BytesIO(content), "image/jpeg", sha256(content).digest())
    return photo_id


def fetch(photo_id: UUID, uploaded: bytes) -> bytes:
    into = BytesIO()
    get_original(photo_id, into, size=len(uploaded), sha256=sha256(uploaded).digest())
    return into.read()


def uploading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("upload")]


def have_ended(threads: Iterable[threading.Thread]) -> bool:
    """Whether threads end that have nothing to do any more, which takes them a moment."""
    for thread in threads:
        thread.join(5)
    return not any(thread.is_alive() for thread in threads)


def put_all(prefix: str, numbers: Iterable[int], error: BaseException | None = None) -> None:
    with RenditionUploads() as uploads:
        for number in numbers:
            uploads.put(f"{prefix}/{number}.webp", b"a picture", "image/webp")
        if error:
            raise error


@pytest.mark.parametrize("size", [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, (CONNECTIONS + 2) * PART_BYTES + 1])
def test_an_original_arrives_as_it_was_uploaded_however_many_parts_it_takes(service: None, size: int) -> None:
    content = content_of(size)

    assert fetch(store(content), content) == content


def test_a_large_original_is_fetched_in_parts_and_a_small_one_in_one_request(faults: FaultProxy) -> None:
    small, large = content_of(PART_BYTES), content_of(3 * PART_BYTES)
    photos = store(small), store(large)
    before = faults.done()["passed"]

    fetch(photos[0], small)
    assert faults.done()["passed"] - before == 1
    fetch(photos[1], large)
    assert faults.done()["passed"] - before == 1 + 3


@pytest.mark.parametrize("size", [1000, 3 * PART_BYTES])
@pytest.mark.parametrize("kept", [0, 0.5, 1])
def test_an_original_that_is_not_what_was_uploaded_any_more_is_refused(service: None, size: int, kept: float) -> None:
    uploaded = content_of(size)
    damaged = uploaded[: int(size * kept)] if kept < 1 else uploaded[:-1] + bytes([uploaded[-1] ^ 1])

    with pytest.raises(DamagedTransferError):
        fetch(store(damaged), uploaded)


def test_an_original_that_is_replaced_while_its_parts_arrive_is_refused(service: None) -> None:
    size = (CONNECTIONS + 1) * PART_BYTES
    old, new = content_of(size), bytes(size)
    photo_id = store(old)

    class Replacing(BytesIO):
        def write(self, part: Any) -> int:
            if not self.tell():
                storage.put_original(photo_id, BytesIO(new), "image/jpeg", sha256(new).digest())
            return super().write(part)

    with pytest.raises(DamagedTransferError):
        get_original(photo_id, Replacing(), size=len(old), sha256=sha256(old).digest())


@pytest.mark.parametrize("size", [1000, 3 * PART_BYTES])
def test_an_original_that_is_not_there_is_no_outage(service: None, size: int) -> None:
    with pytest.raises(ClientError) as raised:
        fetch(uuid7(), content_of(size))

    assert not storage.is_storage_outage(raised.value)


@pytest.mark.parametrize("size", [1000, 3 * PART_BYTES])
def test_a_storage_that_refuses_or_breaks_off_is_an_outage(faults: FaultProxy, size: int) -> None:
    content = content_of(size)
    photo_id = store(content)

    for fault in (Fault("error", "s3 GET", status=403), Fault("drop", "s3 GET", after=True)):
        faults.inject(fault)
        with pytest.raises(storage.STORAGE_ERRORS) as raised:
            fetch(photo_id, content)
        assert storage.is_storage_outage(raised.value)


@pytest.mark.parametrize("size", [1000, 3 * PART_BYTES])
def test_a_process_that_is_told_to_end_while_it_fetches_a_photo_ends(service: None, size: int) -> None:
    class Ending(BytesIO):
        def write(self, *_: object) -> int:
            raise SystemExit

    content = content_of(size)

    with pytest.raises(SystemExit):
        get_original(store(content), Ending(), size=size, sha256=sha256(content).digest())


def test_renditions_are_all_stored_when_the_block_ends(service: None) -> None:
    prefix = f"renditions/{uuid7()}"
    pictures = {f"{prefix}/{number}.webp": content_of(1000 + number) for number in range(3 * CONNECTIONS)}

    with RenditionUploads() as uploads:
        for key, data in pictures.items():
            uploads.put(key, data, "image/webp")

    bucket = boto3.resource("s3").Bucket(get_settings().renditions_bucket)
    assert {item.key: item.get()["Body"].read() for item in bucket.objects.filter(Prefix=prefix)} == pictures
    head = bucket.Object(f"{prefix}/0.webp").get()
    assert (head["ContentType"], head["CacheControl"]) == ("image/webp", "public, max-age=31536000, immutable")


def test_a_rendition_that_cannot_be_stored_stops_the_others_and_is_an_outage(faults: FaultProxy) -> None:
    prefix = f"renditions/{uuid7()}"
    faults.inject(Fault("error", f"s3 PUT .*{prefix}/0.webp", status=403))
    pictures = iter(range(1000))

    with pytest.raises(ClientError) as raised:
        put_all(prefix, pictures)

    assert storage.is_storage_outage(raised.value)
    assert next(pictures, None), "the last were not even begun"
    assert have_ended(uploading())


def test_the_last_rendition_that_cannot_be_stored_is_not_overlooked(faults: FaultProxy) -> None:
    faults.inject(Fault("error", "s3 PUT", status=403))

    with pytest.raises(ClientError):
        put_all(f"renditions/{uuid7()}", range(1))


def test_no_upload_is_under_way_any_more_when_the_block_has_failed(service: None) -> None:
    with pytest.raises(ValueError, match="the picture is bad"):
        put_all(f"renditions/{uuid7()}", range(CONNECTIONS), ValueError("the picture is bad"))

    assert have_ended(uploading())


def test_a_process_that_is_told_to_end_does_not_wait_for_its_uploads(faults: FaultProxy) -> None:
    faults.inject(Fault("hang", "s3 PUT"))

    with pytest.raises(SystemExit):
        put_all(f"renditions/{uuid7()}", range(1), SystemExit())

    assert uploading(), "it still waits for an answer, and nobody for it"
    faults.clear()
