import io
import os
import random
import stat
import subprocess
import time
from collections.abc import Callable, Mapping
from email.message import Message
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from tests.conftest import running

SNAPSHOTS_CATCH_UP = 3.0
NOWHERE = "postgresql+psycopg://photofleet:secret@127.0.0.1:1/photofleet"
"""A database that nobody asks."""


@pytest.fixture
def own_aws(tmp_path: Path, unused_port: Callable[[], int]) -> EmbeddedAWS:
    """An AWS that a test may kill."""
    return EmbeddedAWS(tmp_path / "aws", unused_port())


def test_objects_and_stacks_outlive_a_kill(own_aws: EmbeddedAWS) -> None:
    clients = own_aws.client_environment()
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()) as process:
        outputs = stacks.launch(clients, NOWHERE)
        s3 = stacks.client(clients, "s3")
        for number in range(20):
            s3.put_object(Bucket=outputs["OriginalsBucket"], Key=f"originals/{number}", Body=bytes([number]) * 10_000)
        process.kill()
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        assert stacks.launch(clients, NOWHERE) == outputs
        s3 = stacks.client(clients, "s3")
        for number in range(20):
            stored = s3.get_object(Bucket=outputs["OriginalsBucket"], Key=f"originals/{number}")
            assert stored["Body"].read() == bytes([number]) * 10_000
        # The bucket is the stack's, not an empty shell of the same name.
        assert s3.get_bucket_policy(Bucket=outputs["OriginalsBucket"])["Policy"]


def test_messages_outlive_a_kill_a_few_seconds_later(own_aws: EmbeddedAWS) -> None:
    clients = own_aws.client_environment()
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()) as process:
        outputs = stacks.launch(clients, NOWHERE)
        stacks.client(clients, "sns").publish(TopicArn=outputs["TopicArn"], Message="a photo")
        time.sleep(SNAPSHOTS_CATCH_UP)
        process.kill()
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        assert _receive(clients, outputs["ResizeQueueUrl"]) == ["a photo"]
        assert _receive(clients, outputs["LabelQueueUrl"]) == ["a photo"]


def test_messages_outlive_an_ordered_stop_at_once(own_aws: EmbeddedAWS) -> None:
    clients = own_aws.client_environment()
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        outputs = stacks.launch(clients, NOWHERE)
        stacks.client(clients, "sns").publish(TopicArn=outputs["TopicArn"], Message="a photo")
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        assert _receive(clients, outputs["ResizeQueueUrl"]) == ["a photo"]


def test_the_state_can_move_to_another_port(own_aws: EmbeddedAWS, unused_port: Callable[[], int]) -> None:
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        outputs = stacks.launch(own_aws.client_environment(), NOWHERE)
    moved = EmbeddedAWS(own_aws.folder, unused_port())
    clients = moved.client_environment()
    with running(moved.command, moved.answers, moved.server_environment()):
        assert stacks.launch(clients, NOWHERE) == outputs
        stacks.client(clients, "sns").publish(TopicArn=outputs["TopicArn"], Message="a photo")
        assert _receive(clients, outputs["ResizeQueueUrl"]) == ["a photo"]


def test_a_snapshot_that_was_cut_off_is_passed_over_for_the_one_before(own_aws: EmbeddedAWS) -> None:
    clients = own_aws.client_environment()
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        outputs = stacks.launch(clients, NOWHERE)
    snapshots = own_aws.folder / "snapshots"
    newest = max(int(path.name) for path in snapshots.iterdir() if path.name.isdigit())
    for cut_off in (snapshots / str(newest), snapshots / "unfinished"):
        cut_off.mkdir(exist_ok=True)
        (cut_off / "cloudformation.json").unlink(missing_ok=True)
        (cut_off / "cloudformation.json").write_text("{", encoding="utf-8")
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        assert stacks.launch(clients, NOWHERE) == outputs


@pytest.mark.parametrize("words", ["", "{", "\udcff", '{"__ministack_format__": 99, "payload": {}}'])
def test_a_state_that_cannot_be_read_is_not_begun_anew(own_aws: EmbeddedAWS, words: str) -> None:
    snapshot = own_aws.folder / "snapshots" / "7"
    snapshot.mkdir(parents=True)
    (snapshot / "sqs.json").write_bytes(words.encode(errors="surrogateescape"))
    environment = os.environ | own_aws.server_environment()
    done = subprocess.run(own_aws.command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot be read. Delete it with `photofleet local reset`" in done.stderr
    assert (snapshot / "sqs.json").exists()


def test_an_idle_aws_writes_nothing(own_aws: EmbeddedAWS) -> None:
    clients = own_aws.client_environment()

    def written() -> set[Path]:
        return set((own_aws.folder / "snapshots").iterdir())

    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        outputs = stacks.launch(clients, NOWHERE)
        time.sleep(SNAPSHOTS_CATCH_UP)
        before = written()
        _receive(clients, outputs["ResizeQueueUrl"])
        time.sleep(SNAPSHOTS_CATCH_UP)
        assert written() == before
        stacks.client(clients, "sns").publish(TopicArn=outputs["TopicArn"], Message="a photo")
        time.sleep(SNAPSHOTS_CATCH_UP)
        assert written() != before


def test_an_object_that_cannot_be_kept_is_refused(
    aws: EmbeddedAWS, cloud: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3 = stacks.client(cloud, "s3")
    s3.create_bucket(Bucket="unwritable")
    (folder,) = (aws.folder / "objects").glob("*/unwritable")
    folder.rmdir()
    folder.write_bytes(b"a file where a folder is needed")
    with pytest.raises(ClientError) as refusal:
        s3.put_object(Bucket="unwritable", Key="photo", Body=b"bytes")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize("size", [0, 10, 20 * 2**20])
def test_uploads_from_a_stream_arrive_whole(cloud: Mapping[str, str], size: int) -> None:
    s3 = stacks.client(cloud, "s3")
    sent = random.Random(size).randbytes(size)
    s3.upload_fileobj(io.BytesIO(sent), cloud["PHOTOFLEET_ORIGINALS_BUCKET"], "streamed")
    assert s3.get_object(Bucket=cloud["PHOTOFLEET_ORIGINALS_BUCKET"], Key="streamed")["Body"].read() == sent


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_ministack/config", "/_aws/sqs/messages", "/_localstack/init"])
def test_the_emulators_administration_is_switched_off(aws: EmbeddedAWS, path: str) -> None:
    with pytest.raises(HTTPError) as refusal:
        urlopen(Request(aws.endpoint + path, data=b"{}"), timeout=10)  # noqa: S310 - a http address
    assert refusal.value.code == HTTPStatus.FORBIDDEN
    refusal.value.close()


@pytest.mark.parametrize("key", ["test", "photofleet-local", "000000000000"])
def test_requests_with_another_secret_are_refused(cloud: Mapping[str, str], key: str) -> None:
    stranger = {**cloud, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "test"}
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stacks.client(stranger, "s3").list_buckets()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("PUT", "/bucket"),
        ("POST", "/?Action=CreateQueue&QueueName=queue"),
        ("GET", "/latest/meta-data/"),
        ("GET", "/health"),
        ("GET", "/v2/_catalog"),
        ("OPTIONS", "/"),
        ("OPTIONS", "/_ministack/reset"),
        ("POST", "/_cloudfront/nothing/_ministack/reset"),
        ("GET", "/_cloudfront/nothing/renditions/w320.webp"),
    ],
)
@pytest.mark.parametrize("authorization", [None, "Basic cm9vdA==", "AWS photofleet-local:signature"])
def test_what_is_not_signed_is_refused(
    aws: EmbeddedAWS, cloud: Mapping[str, str], method: str, path: str, authorization: str | None
) -> None:
    status, headers = _request(aws, method, path, {"Authorization": authorization} if authorization else {})
    assert status in (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
    assert "Access-Control-Allow-Origin" not in headers
    buckets = [bucket["Name"] for bucket in stacks.client(cloud, "s3").list_buckets()["Buckets"]]
    assert "bucket" not in buckets


CREDENTIAL = "photofleet-local/20260101/us-east-1/{service}/aws4_request"


@pytest.mark.parametrize("service", ["s3", "sqs"])
@pytest.mark.parametrize(
    ("authorization", "query"),
    [
        ("AWS4-HMAC-SHA256 nonsense", ""),
        (f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host, Signature=0", ""),
        (None, "X-Amz-Signature=0"),
        (None, f"X-Amz-Credential={CREDENTIAL}&X-Amz-Signature=0"),
        (None, f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={CREDENTIAL}&X-Amz-Signature=0"),
        ("Basic cm9vdA==", f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={CREDENTIAL}&X-Amz-Signature=0"),
    ],
)
def test_what_is_signed_wrongly_is_refused(
    aws: EmbeddedAWS, authorization: str | None, query: str, service: str
) -> None:
    headers = {"Authorization": authorization.format(service=service)} if authorization else {}
    for method, path in (("PUT", "/bucket?"), ("GET", "/?"), ("POST", "/?Action=CreateQueue&QueueName=queue&")):
        status, _ = _request(aws, method, path + query.format(service=service), headers)
        assert status in (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN), (method, path)


def test_a_browser_may_do_what_a_buckets_cors_rules_and_a_presigned_address_allow(
    aws: EmbeddedAWS, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.client_environment().items():
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3", endpoint_url=aws.endpoint, config=Config(signature_version="s3v4"))
    address = s3.generate_presigned_url("put_object", {"Bucket": "uploads", "Key": "photo"})
    path = address.removeprefix(aws.endpoint)
    asks = {"Origin": "http://127.0.0.1:8000", "Access-Control-Request-Method": "PUT"}
    s3.create_bucket(Bucket="uploads")
    assert _request(aws, "OPTIONS", path, asks)[0] == HTTPStatus.FORBIDDEN
    rule = {"AllowedOrigins": ["http://127.0.0.1:8000"], "AllowedMethods": ["PUT"]}
    s3.put_bucket_cors(Bucket="uploads", CORSConfiguration={"CORSRules": [rule]})
    status, headers = _request(aws, "OPTIONS", path, asks)
    assert (status, headers["Access-Control-Allow-Origin"]) == (HTTPStatus.OK, "http://127.0.0.1:8000")
    assert _request(aws, "OPTIONS", path, {**asks, "Origin": "http://evil.example"})[0] == HTTPStatus.FORBIDDEN
    assert _request(aws, "PUT", path, {"Origin": "http://127.0.0.1:8000"})[0] == HTTPStatus.OK
    assert _request(aws, "PUT", path.replace("photo", "other", 1), {})[0] == HTTPStatus.FORBIDDEN


def test_only_this_machine_can_connect(aws: EmbeddedAWS) -> None:
    (server,) = (child for child in psutil.Process().children() if child.cmdline()[1:] == list(aws.command[1:]))
    listening = {socket.laddr.ip for socket in server.net_connections() if socket.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


def test_the_secret_is_its_owners_alone(aws: EmbeddedAWS) -> None:
    kept = aws.folder / "secret-access-key"
    assert kept.read_text(encoding="ascii") == aws.credentials()["AWS_SECRET_ACCESS_KEY"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def _receive(clients: Mapping[str, str], queue: str) -> list[str]:
    received = stacks.client(clients, "sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=2)
    return [message["Body"] for message in received.get("Messages", [])]


def _request(aws: EmbeddedAWS, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, Message]:
    connection = HTTPConnection("127.0.0.1", aws.port, timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, response.headers
