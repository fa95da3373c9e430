"""Where photos' bytes are kept: the keys of objects in S3, and transfers to and from it."""

import base64
from collections.abc import Collection
from contextlib import closing
from functools import cache
from http import HTTPStatus
from typing import IO, Any
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from photofleet.settings import get_settings

IMMUTABLE = "public, max-age=31536000, immutable"
"""A rendition never changes under its key, so that browsers and the CDN may keep it for as long as they can."""

STORAGE_ERRORS = (BotoCoreError, ClientError)


def is_storage_outage(error: Exception) -> bool:
    """Whether S3 did not answer, or could not, or refused us; and not only that it has no such object.

    To whom may not list the bucket (`s3:ListBucket`), S3 says of what is not there that it is forbidden.
    """
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return bool(status != HTTPStatus.NOT_FOUND)
    return isinstance(error, BotoCoreError)


@cache
def s3() -> Any:
    """The client, which threads may share."""
    config = Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=64,  # kept open, of those that a worker's threads opened
        signature_version="s3v4",
        # We compare what we fetch with the hash in the catalog; to hash it twice costs as much as all else about it.
        response_checksum_validation="when_required",
    )
    return boto3.client("s3", config=config)


def prepare() -> None:
    """Make the client, so that the first transfer does not wait for it, and not two threads make one at once."""
    s3()


def original_key(photo_id: UUID) -> str:
    """Where a photo's uploaded file is kept."""
    return f"originals/{photo_id}"


def rendition_key(photo_id: UUID, name: str, revision: str, extension: str) -> str:
    """Where one of a photo's renditions is kept; made in another way, it has another revision and so another key."""
    return f"{_renditions_prefix(photo_id)}{name}-{revision}.{extension}"


def _renditions_prefix(photo_id: UUID) -> str:
    return f"renditions/{photo_id}/"


def rendition_url(key: str) -> str:
    """Where browsers load a rendition from."""
    return f"{get_settings().renditions_url.rstrip('/')}/{key}"


def static_url(name: str) -> str:
    """Where browsers load one of the site's static files from, such as its style sheet."""
    return f"{get_settings().renditions_url.rstrip('/')}/{_static_key(name)}"


def _static_key(name: str) -> str:
    return f"static/{name}"


def put_original(photo_id: UUID, file: IO[bytes], content_type: str, sha256: bytes) -> None:
    """Store an uploaded file, streamed from where `file` stands; S3 refuses it if what arrives has another hash."""
    s3().put_object(
        Bucket=get_settings().originals_bucket,
        Key=original_key(photo_id),
        Body=file,
        ContentType=content_type,
        ChecksumSHA256=base64.b64encode(sha256).decode("ascii"),
    )


def delete_original(photo_id: UUID) -> None:
    """Remove an uploaded file; it is no error if there is none."""
    s3().delete_object(Bucket=get_settings().originals_bucket, Key=original_key(photo_id))


def put_rendition(key: str, data: bytes, content_type: str) -> None:
    """Store a rendition, to be cached for ever."""
    s3().put_object(
        Bucket=get_settings().renditions_bucket,
        Key=key,
        Body=data,
        ContentType=content_type,
        CacheControl=IMMUTABLE,
        ChecksumAlgorithm="SHA256",
    )


def get_rendition(key: str) -> bytes:
    """Fetch a rendition.

    Raises:
        STORAGE_ERRORS: What S3 answers instead, be it only that there is none under this key any more.
    """
    answer: dict[str, Any] = s3().get_object(Bucket=get_settings().renditions_bucket, Key=key)
    with closing(answer["Body"]) as body:
        content: bytes = body.read()
        return content


def put_static(name: str, data: bytes, content_type: str, *, immutable: bool) -> None:
    """Store one of the site's static files, to be cached for ever or, if it is not `immutable`, for an hour."""
    s3().put_object(
        Bucket=get_settings().renditions_bucket,
        Key=_static_key(name),
        Body=data,
        ContentType=content_type,
        CacheControl=IMMUTABLE if immutable else "public, max-age=3600",
        ChecksumAlgorithm="SHA256",
    )


def delete_renditions(photo_id: UUID, keep: Collection[str] = ()) -> None:
    """Remove a photo's renditions but those with the keys to keep; it is no error if there are none."""
    bucket = get_settings().renditions_bucket
    pages = s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=_renditions_prefix(photo_id))
    for page in pages:  # each holds as many as one request may delete
        found = [{"Key": item["Key"]} for item in page.get("Contents", ()) if item["Key"] not in keep]
        if not found:
            continue
        answer = s3().delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})
        for refused in answer.get("Errors", ()):
            # As S3 would answer if asked for that one alone.
            raise ClientError({"Error": refused, "ResponseMetadata": answer["ResponseMetadata"]}, "DeleteObjects")
