"""The proxy that the tests put before AWS: what passes is untouched, and every fault is what it says."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from photofleet.local.aws import EmbeddedAWS
from tests.fault_proxy import Fault, FaultProxy

LARGE = 20_000_000


@pytest.fixture(scope="module")
def proxy(aws: EmbeddedAWS) -> Iterator[FaultProxy]:
    with FaultProxy(aws.endpoint) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def _no_faults(proxy: FaultProxy) -> Iterator[None]:
    yield
    proxy.clear()


def client(service: str, aws: EmbeddedAWS, address: str | None = None, read_timeout: float = 10) -> Any:
    environment: Mapping[str, str] = aws.client_environment()
    return boto3.client(
        service,
        endpoint_url=address or environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout, max_pool_connections=100),
    )


@pytest.fixture
def sqs(aws: EmbeddedAWS, proxy: FaultProxy) -> Iterator[Any]:
    with_timeout = client("sqs", aws, proxy.address, read_timeout=4)
    yield with_timeout
    with_timeout.close()


@pytest.fixture
def s3(aws: EmbeddedAWS, proxy: FaultProxy) -> Iterator[Any]:
    found = client("s3", aws, proxy.address)
    yield found
    found.close()


@pytest.fixture
def queue(aws: EmbeddedAWS) -> Iterator[str]:
    direct = client("sqs", aws)
    url = direct.create_queue(QueueName="behind-the-proxy")["QueueUrl"]
    yield url
    direct.delete_queue(QueueUrl=url)
    direct.close()


def test_large_files_pass_unchanged_both_ways_however_they_are_sent(s3: Any) -> None:
    s3.create_bucket(Bucket="files")
    data = bytes(range(256)) * (LARGE // 256)
    s3.put_object(Bucket="files", Key="whole", Body=data)
    s3.upload_fileobj(BytesIO(data), "files", "in parts")
    s3.put_object(Bucket="files", Key="in chunks", Body=BytesIO(data), ChecksumAlgorithm="SHA256")

    for key in ("whole", "in parts", "in chunks"):
        assert s3.head_object(Bucket="files", Key=key)["ContentLength"] == len(data)
        assert s3.get_object(Bucket="files", Key=key)["Body"].read() == data
        s3.delete_object(Bucket="files", Key=key)


def test_many_wait_for_messages_at_once_and_each_gets_its_own(aws: EmbeddedAWS, proxy: FaultProxy, queue: str) -> None:
    sqs = client("sqs", aws, proxy.address, read_timeout=30)

    def wait(_: int) -> list[str]:
        answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20, MaxNumberOfMessages=1)
        return [message["Body"] for message in answer.get("Messages", ())]

    with ThreadPoolExecutor(60) as pool:
        waiting = pool.map(wait, range(60))
        time.sleep(1)
        for number in range(60):
            sqs.send_message(QueueUrl=queue, MessageBody=str(number))
        bodies = [body for bodies in waiting for body in bodies]
    sqs.close()
    assert sorted(bodies, key=int) == [str(number) for number in range(60)]


@pytest.mark.parametrize(("status", "code"), [(400, "InvalidParameterValue"), (403, "AccessDenied"), (503, "SlowDown")])
def test_an_error_looks_like_one_of_aws(
    proxy: FaultProxy, sqs: Any, s3: Any, queue: str, status: int, code: str
) -> None:
    proxy.inject(Fault("error", status=status, code=code))
    for call, arguments in ((sqs.receive_message, {"QueueUrl": queue}), (s3.list_buckets, {})):
        with pytest.raises(ClientError) as refused:
            call(**arguments)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert refused.value.response["Error"]["Code"] == code


def test_a_large_upload_that_is_refused_hears_why(proxy: FaultProxy, s3: Any) -> None:
    proxy.inject(Fault("error", "^s3 PUT /files", status=500))
    with pytest.raises(ClientError, match="Injected"):
        s3.put_object(Bucket="files", Key="refused", Body=bytes(LARGE))


def test_only_what_matches_meets_a_fault(proxy: FaultProxy, sqs: Any, queue: str) -> None:
    proxy.inject(Fault("error", "^sqs ReceiveMessage"))
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    with pytest.raises(ClientError):
        sqs.receive_message(QueueUrl=queue)


def test_a_share_of_the_requests_meets_a_fault_and_each_is_counted(proxy: FaultProxy, sqs: Any, queue: str) -> None:
    before = proxy.done()
    proxy.inject(Fault("error", probability=0.3))
    refused = 0
    for _ in range(100):
        try:
            sqs.get_queue_attributes(QueueUrl=queue)
        except ClientError:
            refused += 1
    assert 10 < refused < 60
    assert proxy.done() - before == {"error": refused, "passed": 100 - refused}


def test_what_hangs_goes_on_when_the_faults_are_cleared(proxy: FaultProxy, sqs: Any, queue: str) -> None:
    proxy.inject(Fault("hang"))
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(sqs.send_message, QueueUrl=queue, MessageBody="late")
        time.sleep(1)
        assert not sent.done()
        proxy.clear()
        assert sent.result(3)["MessageId"]


@pytest.mark.parametrize(("after", "arrived"), [(False, 0), (True, 1)])
def test_who_waits_too_long_does_not_know_whether_it_was_done(
    proxy: FaultProxy, sqs: Any, queue: str, after: bool, arrived: int
) -> None:
    proxy.inject(Fault("hang", "SendMessage", after=after))
    with pytest.raises(ReadTimeoutError):
        sqs.send_message(QueueUrl=queue, MessageBody="hello")
    proxy.clear()
    assert count(sqs, queue) == arrived


@pytest.mark.parametrize(("after", "arrived"), [(False, 0), (True, 1)])
def test_a_connection_is_cut_before_or_after_the_work(
    proxy: FaultProxy, sqs: Any, queue: str, after: bool, arrived: int
) -> None:
    proxy.inject(Fault("drop", "SendMessage", after=after))
    with pytest.raises(ConnectionClosedError):
        sqs.send_message(QueueUrl=queue, MessageBody="hello")
    assert count(sqs, queue) == arrived


def test_an_error_may_hide_that_it_was_done(proxy: FaultProxy, sqs: Any, queue: str) -> None:
    proxy.inject(Fault("error", "SendMessage", after=True))
    with pytest.raises(ClientError):
        sqs.send_message(QueueUrl=queue, MessageBody="hello")
    assert count(sqs, queue) == 1


def test_a_port_that_refuses_cuts_what_waits_there_and_takes_connections_again(
    proxy: FaultProxy, sqs: Any, queue: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sqs.receive_message, QueueUrl=queue, WaitTimeSeconds=20)
        time.sleep(0.5)
        proxy.inject(Fault("refuse"))
        with pytest.raises(ConnectionClosedError):
            waiting.result(3)
    with pytest.raises(EndpointConnectionError):
        sqs.get_queue_attributes(QueueUrl=queue)
    proxy.clear()
    assert count(sqs, queue) == 0


def count(sqs: Any, queue: str) -> int:
    name = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])
