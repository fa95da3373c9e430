"""What is kept of a photo in the real S3."""

from uuid import UUID

import boto3
import pytest

from photofleet import storage
from photofleet.catalog.identifiers import uuid7
from photofleet.settings import get_settings
from photofleet.storage import delete_renditions, put_rendition, rendition_key


def store(photo_id: UUID, *names: str) -> list[str]:
    keys = [rendition_key(photo_id, name, "0a1b2c3d", "webp") for name in names]
    for key in keys:
        put_rendition(key, b"a picture", "image/webp")
    return keys


def stored(photo_id: UUID) -> set[str]:
    bucket = boto3.resource("s3").Bucket(get_settings().renditions_bucket)
    return {item.key for item in bucket.objects.filter(Prefix=f"renditions/{photo_id}/")}


def test_a_rendition_made_in_another_way_has_another_key() -> None:
    photo_id = uuid7()

    assert rendition_key(photo_id, "w320", "0a1b2c3d", "webp") == f"renditions/{photo_id}/w320-0a1b2c3d.webp"
    assert rendition_key(photo_id, "w320", "4e5f6a7b", "webp") == f"renditions/{photo_id}/w320-4e5f6a7b.webp"


def test_a_photos_renditions_are_deleted_but_those_to_keep_and_those_of_other_photos(service: None) -> None:
    photo_id, other = uuid7(), uuid7()
    _, medium, _ = store(photo_id, "w160", "w320", "w640")
    others = store(other, "w160")

    delete_renditions(photo_id, keep={medium, "renditions/of/another"})

    assert stored(photo_id) == {medium}
    delete_renditions(photo_id)
    delete_renditions(photo_id)
    assert stored(photo_id) == set()
    assert stored(other) == set(others)
    delete_renditions(other)


def test_renditions_that_need_more_than_one_request_are_all_deleted(
    service: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo_id = uuid7()
    keep, *_ = store(photo_id, *(f"w{width}" for width in range(160, 167)))

    def in_pages_of_two(params: dict[str, object], **_: object) -> None:
        params["MaxKeys"] = 2

    events = storage.s3().meta.events
    events.register("provide-client-params.s3.ListObjectsV2", in_pages_of_two)
    try:
        delete_renditions(photo_id, keep=[keep])
    finally:
        events.unregister("provide-client-params.s3.ListObjectsV2", in_pages_of_two)

    assert stored(photo_id) == {keep}
    delete_renditions(photo_id)
