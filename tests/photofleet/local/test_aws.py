import io
import random
import socket
import stat
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.snapshots import Snapshots
from tests.conftest import running

SNAPSHOTS_CATCH_UP = 3.0


@pytest.fixture
def own_aws(tmp_path: Path, unused_port: Callable[[], int]) -> EmbeddedAWS:
    """An AWS that a test may kill."""
    return EmbeddedAWS(tmp_path / "aws", unused_port())


def test_objects_and_stacks_outlive_a_kill(own_aws: EmbeddedAWS) -> None:
    clients = own_aws.client_environment()
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()) as process:
        outputs = stacks.launch(clients)
        s3 = stacks.client(clients, "s3")
        for number in range(20):
            s3.put_object(Bucket=outputs["OriginalsBucket"], Key=f"originals/{number}", Body=bytes([number]) * 10_000)
        process.kill()
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        assert stacks.launch(clients) == outputs
        s3 = stacks.client(clients, "s3")
        for number in range(20):
            stored = s3.get_object(Bucket=outputs["OriginalsBucket"], Key=f"originals/{number}")
            assert stored["Body"].read() == bytes([number]) * 10_000
        # The bucket is the stack's, not an empty shell of the same name.
        assert s3.get_bucket_policy(Bucket=outputs["OriginalsBucket"])["Policy"]


def test_messages_outlive_a_kill_a_few_seconds_later(own_aws: EmbeddedAWS) -> None:
    clients = own_aws.client_environment()
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()) as process:
        outputs = stacks.launch(clients)
        stacks.client(clients, "sns").publish(TopicArn=outputs["TopicArn"], Message="a photo")
        time.sleep(SNAPSHOTS_CATCH_UP)
        process.kill()
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        assert _receive(clients, outputs["ResizeQueueUrl"]) == ["a photo"]
        assert _receive(clients, outputs["LabelQueueUrl"]) == ["a photo"]


def test_messages_outlive_an_ordered_stop_at_once(own_aws: EmbeddedAWS) -> None:
    clients = own_aws.client_environment()
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        outputs = stacks.launch(clients)
        stacks.client(clients, "sns").publish(TopicArn=outputs["TopicArn"], Message="a photo")
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        assert _receive(clients, outputs["ResizeQueueUrl"]) == ["a photo"]


def test_the_state_can_move_to_another_port(own_aws: EmbeddedAWS, unused_port: Callable[[], int]) -> None:
    with running(own_aws.command, own_aws.answers, own_aws.server_environment()):
        outputs = stacks.launch(own_aws.client_environment())
    moved = EmbeddedAWS(own_aws.folder, unused_port())
    clients = moved.client_environment()
    with running(moved.command, moved.answers, moved.server_environment()):
        assert stacks.launch(clients) == outputs
        stacks.client(clients, "sns").publish(TopicArn=outputs["TopicArn"], Message="a photo")
        assert _receive(clients, outputs["ResizeQueueUrl"]) == ["a photo"]


def test_a_snapshot_that_was_cut_off_is_not_restored(tmp_path: Path) -> None:
    for name in ("7", "unfinished"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sqs.json").write_text("{", encoding="utf-8")
    assert Snapshots(tmp_path).newest == tmp_path / "7"
    assert not (tmp_path / "unfinished").exists()


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


def test_only_this_machine_can_connect(aws: EmbeddedAWS) -> None:
    with socket.socket() as elsewhere:
        elsewhere.settimeout(5)
        # An address of this machine that is not 127.0.0.1: who listens everywhere, answers here, too.
        with pytest.raises(OSError):  # noqa: PT011 - which one depends on the operating system
            elsewhere.connect(("127.0.0.2", aws.port))


def test_the_secret_is_its_owners_alone(aws: EmbeddedAWS) -> None:
    kept = aws.folder / "secret-access-key"
    assert kept.read_text(encoding="ascii") == aws.credentials()["AWS_SECRET_ACCESS_KEY"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def _receive(clients: Mapping[str, str], queue: str) -> list[str]:
    received = stacks.client(clients, "sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=2)
    return [message["Body"] for message in received.get("Messages", [])]
