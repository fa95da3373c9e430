"""The stack on the embedded AWS, used as the service and its visitors use it."""

import json
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.cloudformation.conftest import ClientWith, RootClient, connect
from tests.refusals import is_allowed

KEY = "renditions/0199-test/w320.webp"
MODULE = "static/build/site-0123.js"
BUCKETS = ("PHOTOFLEET_ORIGINALS_BUCKET", "PHOTOFLEET_RENDITIONS_BUCKET")


@pytest.fixture
def s3(cloud: Mapping[str, str], root: RootClient) -> Iterator[Any]:
    client = root("s3")
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
def administrator(cloud: Mapping[str, str], root: RootClient) -> Iterator[Any]:
    """A client of S3 for a user who may do everything; the emulator asks no policy about the root user."""
    iam = root("iam")
    iam.create_user(UserName="administrator")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName="administrator", PolicyName="Everything", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="administrator")["AccessKey"]
    yield connect("s3", cloud, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    iam.delete_access_key(UserName="administrator", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="administrator", PolicyName="Everything")
    iam.delete_user(UserName="administrator")


def _get(address: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
    connection.request(
        method, f"{parts.path}?{parts.query}", headers={name.replace("_", "-"): headers[name] for name in headers}
    )
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


def test_the_sites_own_pages_may_run_a_module_that_the_distribution_serves(cloud: Mapping[str, str], s3: Any) -> None:
    s3.put_object(
        Bucket=cloud["PHOTOFLEET_RENDITIONS_BUCKET"], Key=MODULE, Body=b"hello()", ContentType="text/javascript"
    )
    response, body = _get(f"{cloud['PHOTOFLEET_RENDITIONS_URL']}/{MODULE}", Origin="https://photos.example.com")
    assert (response.status, body) == (HTTPStatus.OK, b"hello()")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_distribution_serves_nothing_else(cloud: Mapping[str, str], s3: Any) -> None:
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


def test_an_original_that_was_overwritten_or_deleted_can_be_brought_back(cloud: Mapping[str, str], s3: Any) -> None:
    original = {"Bucket": cloud["PHOTOFLEET_ORIGINALS_BUCKET"], "Key": "originals/0199-versions"}
    first = s3.put_object(**original, Body=b"the photo")["VersionId"]
    s3.put_object(**original, Body=b"not the photo")
    s3.delete_object(**original)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(**original)
    assert s3.get_object(**original, VersionId=first)["Body"].read() == b"the photo"


def test_pages_of_the_site_may_send_a_form_to_s3_and_those_of_others_may_not(cloud: Mapping[str, str], s3: Any) -> None:
    bucket = cloud["PHOTOFLEET_ORIGINALS_BUCKET"]
    ((site,),) = (rule["AllowedOrigins"] for rule in s3.get_bucket_cors(Bucket=bucket)["CORSRules"])
    assert site.startswith("https://")

    def is_welcome(origin: str, method: str) -> bool:
        headers = {"Origin": origin, "Access_Control_Request_Method": method}
        response, _ = _get(f"{cloud['AWS_ENDPOINT_URL']}/{bucket}/originals/0199-form", "OPTIONS", **headers)
        return response.status == HTTPStatus.OK and response.headers["Access-Control-Allow-Origin"] == origin

    assert is_welcome(site, "POST")
    assert not is_welcome("https://stranger.example", "POST")
    assert not any(is_welcome(site, method) for method in ("GET", "PUT", "DELETE"))


@pytest.fixture
def tier(
    cloud: Mapping[str, str], policies: Mapping[str, list[dict[str, Any]]], client_with: ClientWith
) -> Callable[[str], Any]:
    """A function that returns a client of S3 for a tier that has its policy for storage, and no other."""

    def client(name: str) -> Any:
        (arn,) = (
            arn
            for arn, statements in policies.items()
            if f"-{name}Policy-" in arn and cloud["PHOTOFLEET_ORIGINALS_BUCKET"] in json.dumps(statements)
        )
        return client_with(arn, "s3")

    return client


def test_the_web_tier_writes_originals_and_static_files_and_reads_nothing(
    cloud: Mapping[str, str], tier: Callable[[str], Any]
) -> None:
    originals, renditions = (cloud[bucket] for bucket in BUCKETS)
    s3 = tier("Web")
    version = s3.put_object(Bucket=originals, Key="originals/0199-web", Body=b"")["VersionId"]
    assert is_allowed(s3.put_object, Bucket=renditions, Key=MODULE, Body=b"")
    assert is_allowed(s3.delete_object, Bucket=originals, Key="originals/0199-web")

    assert not is_allowed(s3.delete_object, Bucket=originals, Key="originals/0199-web", VersionId=version)
    assert not is_allowed(s3.put_object, Bucket=originals, Key="elsewhere/0199-web", Body=b"")
    assert not is_allowed(s3.put_object, Bucket=renditions, Key=KEY, Body=b"")
    assert not is_allowed(s3.delete_object, Bucket=renditions, Key=MODULE)
    assert not is_allowed(s3.get_object, Bucket=originals, Key="originals/0199-web")
    assert not any(is_allowed(s3.list_objects_v2, Bucket=bucket) for bucket in (originals, renditions))


def test_the_resize_fleet_reads_originals_and_changes_renditions_alone(
    cloud: Mapping[str, str], s3: Any, tier: Callable[[str], Any]
) -> None:
    originals, renditions = (cloud[bucket] for bucket in BUCKETS)
    s3.put_object(Bucket=originals, Key="originals/0199-resize", Body=b"the photo")
    worker = tier("Resize")
    assert worker.get_object(Bucket=originals, Key="originals/0199-resize")["Body"].read() == b"the photo"
    assert is_allowed(worker.put_object, Bucket=renditions, Key="renditions/0199-resize/w320.webp", Body=b"")
    assert is_allowed(worker.list_objects_v2, Bucket=renditions, Prefix="renditions/0199-resize/")
    doomed = {"Objects": [{"Key": "renditions/0199-resize/w320.webp"}]}
    assert is_allowed(worker.delete_objects, Bucket=renditions, Delete=doomed)

    assert not is_allowed(worker.delete_objects, Bucket=renditions, Delete={"Objects": [{"Key": MODULE}]})
    assert not is_allowed(worker.put_object, Bucket=renditions, Key=MODULE, Body=b"")
    assert not is_allowed(worker.list_objects_v2, Bucket=renditions, Prefix="static/")
    assert not is_allowed(worker.put_object, Bucket=originals, Key="originals/0199-resize", Body=b"")
    assert not is_allowed(worker.delete_object, Bucket=originals, Key="originals/0199-resize")


def test_the_label_fleet_reads_originals_and_renditions_and_changes_nothing(
    cloud: Mapping[str, str], s3: Any, tier: Callable[[str], Any]
) -> None:
    originals, renditions = (cloud[bucket] for bucket in BUCKETS)
    s3.put_object(Bucket=originals, Key="originals/0199-label", Body=b"the photo")
    worker = tier("Label")
    assert worker.get_object(Bucket=originals, Key="originals/0199-label")["Body"].read() == b"the photo"

    assert is_allowed(worker.get_object, Bucket=renditions, Key=KEY)

    for bucket, key in ((originals, "originals/0199-label"), (renditions, KEY)):
        assert not is_allowed(worker.put_object, Bucket=bucket, Key=key, Body=b"")
        assert not is_allowed(worker.delete_object, Bucket=bucket, Key=key)
    assert not is_allowed(worker.list_objects_v2, Bucket=renditions)


@pytest.mark.parametrize("fleet", ["Resize", "Label"])
def test_a_worker_is_told_that_an_original_is_missing_and_not_that_it_is_forbidden(
    cloud: Mapping[str, str], tier: Callable[[str], Any], fleet: str
) -> None:
    originals = cloud["PHOTOFLEET_ORIGINALS_BUCKET"]
    with pytest.raises(ClientError, match="NoSuchKey"):
        tier(fleet).get_object(Bucket=originals, Key="originals/0199-missing")
    # What that hangs on, on AWS.
    assert is_allowed(tier(fleet).list_objects_v2, Bucket=originals)
