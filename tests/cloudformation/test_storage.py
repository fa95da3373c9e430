"""The stack on the embedded AWS, used as the service and its visitors use it."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from photofleet.local import stacks

KEY = "renditions/0199-test/w320.webp"
BUCKETS = ("PHOTOFLEET_ORIGINALS_BUCKET", "PHOTOFLEET_RENDITIONS_BUCKET")


@pytest.fixture
def s3(cloud: Mapping[str, str]) -> Iterator[Any]:
    client = stacks.client(cloud, "s3")
    client.put_object(
        Bucket=cloud["PHOTOFLEET_RENDITIONS_BUCKET"],
        Key=KEY,
        Body=b"a picture",
        ContentType="image/webp",
        CacheControl="public, max-age=31536000, immutable",
    )
    yield client
    client.delete_object(Bucket=cloud["PHOTOFLEET_RENDITIONS_BUCKET"], Key=KEY)


@pytest.fixture
def administrator(cloud: Mapping[str, str]) -> Iterator[Any]:
    """A client of S3 for a user who may do everything; the emulator asks no policy about the root user."""
    iam = stacks.client(cloud, "iam")
    iam.create_user(UserName="administrator")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName="administrator", PolicyName="Everything", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="administrator")["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    yield stacks.client({**cloud, **credentials}, "s3")
    iam.delete_access_key(UserName="administrator", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="administrator", PolicyName="Everything")
    iam.delete_user(UserName="administrator")


def _get(address: str) -> tuple[HTTPResponse, bytes]:
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}")
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_a_rendition_is_served_by_the_distribution(cloud: Mapping[str, str], s3: Any) -> None:
    response, body = _get(f"{cloud['PHOTOFLEET_RENDITIONS_URL']}/{KEY}")
    assert (response.status, body) == (HTTPStatus.OK, b"a picture")
    assert response.headers["Content-Type"] == "image/webp"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_distribution_serves_nothing_but_renditions(cloud: Mapping[str, str], s3: Any) -> None:
    s3.put_object(Bucket=cloud["PHOTOFLEET_RENDITIONS_BUCKET"], Key="notes/secret", Body=b"a secret")
    response, body = _get(f"{cloud['PHOTOFLEET_RENDITIONS_URL']}/notes/secret")
    assert response.status == HTTPStatus.FORBIDDEN
    assert b"a secret" not in body


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_stranger_reads_and_lists_nothing_in_s3(cloud: Mapping[str, str], s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=cloud[bucket], Key=KEY, Body=b"a picture")
    for path in (f"/{cloud[bucket]}/{KEY}", f"/{cloud[bucket]}/", f"/{cloud[bucket]}/?list-type=2"):
        response, body = _get(cloud["AWS_ENDPOINT_URL"] + path)
        assert response.status == HTTPStatus.FORBIDDEN, path
        assert b"a picture" not in body


@pytest.mark.parametrize("bucket", BUCKETS)
def test_an_unencrypted_connection_is_refused_to_those_who_may_do_everything(
    cloud: Mapping[str, str], administrator: Any, bucket: str
) -> None:
    def pretend_to_be_a_proxy_without_tls(request: Any, **_: object) -> None:
        request.headers["X-Forwarded-Proto"] = "http"

    administrator.put_object(Bucket=cloud[bucket], Key=KEY, Body=b"a picture")
    administrator.meta.events.register("before-send.s3", pretend_to_be_a_proxy_without_tls)
    with pytest.raises(ClientError, match="AccessDenied"):
        administrator.put_object(Bucket=cloud[bucket], Key=KEY, Body=b"a picture")


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_cannot_be_made_public(cloud: Mapping[str, str], s3: Any, bucket: str) -> None:
    blocked = s3.get_public_access_block(Bucket=cloud[bucket])["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    assert len(blocked) == 4
    rules = s3.get_bucket_ownership_controls(Bucket=cloud[bucket])["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
