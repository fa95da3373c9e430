"""The stack on the embedded AWS, used as the service uses it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from photofleet.local import stacks

BODY = json.dumps({"body": "W10=", "headers": {"task": "photo_uploaded"}})
FOURTEEN_DAYS = "1209600"
QUEUES = ("PHOTOFLEET_RESIZE_QUEUE_URL", "PHOTOFLEET_LABEL_QUEUE_URL")
DEAD_LETTERS = ("PHOTOFLEET_RESIZE_DEAD_LETTER_URL", "PHOTOFLEET_LABEL_DEAD_LETTER_URL")


@pytest.fixture
def sqs(cloud: Mapping[str, str]) -> Any:
    client = stacks.client(cloud, "sqs")
    for queue in QUEUES + DEAD_LETTERS:
        client.purge_queue(QueueUrl=cloud[queue])
    return client


@pytest.fixture
def sns(cloud: Mapping[str, str]) -> Any:
    return stacks.client(cloud, "sns")


def _receive(sqs: Any, queue: str, wait: int = 1) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=wait).get("Messages", [])
    return messages


def _attributes(sqs: Any, queue: str) -> dict[str, str]:
    attributes: dict[str, str] = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return attributes


def test_one_message_arrives_in_both_queues_as_it_was_published(cloud: Mapping[str, str], sqs: Any, sns: Any) -> None:
    sns.publish(TopicArn=cloud["PHOTOFLEET_TOPIC_ARN"], Message=BODY)
    for queue in QUEUES:
        assert [message["Body"] for message in _receive(sqs, cloud[queue])] == [BODY]


def test_what_one_fleet_does_with_its_message_does_not_concern_the_other(
    cloud: Mapping[str, str], sqs: Any, sns: Any
) -> None:
    resize, label = (cloud[queue] for queue in QUEUES)
    sns.publish(TopicArn=cloud["PHOTOFLEET_TOPIC_ARN"], Message=BODY)
    sqs.delete_message(QueueUrl=resize, ReceiptHandle=_receive(sqs, resize)[0]["ReceiptHandle"])
    assert len(_receive(sqs, label)) == 1


@pytest.mark.parametrize(("queue", "dead_letter"), list(zip(QUEUES, DEAD_LETTERS, strict=True)))
def test_a_message_that_is_received_ten_times_in_vain_ends_in_its_own_dead_letter_queue(
    cloud: Mapping[str, str], sqs: Any, sns: Any, queue: str, dead_letter: str
) -> None:
    sns.publish(TopicArn=cloud["PHOTOFLEET_TOPIC_ARN"], Message=BODY)
    for _ in range(10):
        (message,) = _receive(sqs, cloud[queue])
        sqs.change_message_visibility(
            QueueUrl=cloud[queue], ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    assert _receive(sqs, cloud[queue], wait=0) == []
    assert [message["Body"] for message in _receive(sqs, cloud[dead_letter])] == [BODY]


@pytest.mark.parametrize("queue", QUEUES + DEAD_LETTERS)
def test_another_topic_cannot_send_to_a_queue(cloud: Mapping[str, str], sqs: Any, sns: Any, queue: str) -> None:
    stranger = sns.create_topic(Name="stranger")["TopicArn"]
    endpoint = _attributes(sqs, cloud[queue])["QueueArn"]
    subscription = sns.subscribe(TopicArn=stranger, Protocol="sqs", Endpoint=endpoint, ReturnSubscriptionArn=True)
    sns.publish(TopicArn=stranger, Message="let me in")
    assert _receive(sqs, cloud[queue]) == []
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])


@pytest.mark.parametrize("queue", QUEUES + DEAD_LETTERS)
def test_another_account_cannot_send_to_a_queue(cloud: Mapping[str, str], queue: str) -> None:
    # The emulator takes such a key for the root user of the account of that number.
    stranger = stacks.client({**cloud, "AWS_ACCESS_KEY_ID": "111111111111"}, "sqs")
    with pytest.raises(ClientError, match="AccessDenied"):
        stranger.send_message(QueueUrl=cloud[queue], MessageBody="let me in")


@pytest.mark.parametrize("queue", QUEUES)
def test_a_work_queue_waits_and_hides_as_the_workers_expect(cloud: Mapping[str, str], sqs: Any, queue: str) -> None:
    attributes = _attributes(sqs, cloud[queue])
    assert attributes["VisibilityTimeout"] == cloud["PHOTOFLEET_VISIBILITY_TIMEOUT"]
    assert attributes["ReceiveMessageWaitTimeSeconds"] == "20"


@pytest.mark.parametrize("queue", DEAD_LETTERS)
def test_dead_letters_stay_as_long_as_sqs_can_keep_them(cloud: Mapping[str, str], sqs: Any, queue: str) -> None:
    assert _attributes(sqs, cloud[queue])["MessageRetentionPeriod"] == FOURTEEN_DAYS


def test_what_sns_cannot_deliver_goes_to_the_dead_letter_queue(cloud: Mapping[str, str], sqs: Any, sns: Any) -> None:
    subscriptions = sns.list_subscriptions_by_topic(TopicArn=cloud["PHOTOFLEET_TOPIC_ARN"])["Subscriptions"]
    redriven = {
        json.loads(
            sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])["Attributes"][
                "RedrivePolicy"
            ]
        )["deadLetterTargetArn"]
        for subscription in subscriptions
    }
    assert redriven == {_attributes(sqs, cloud[queue])["QueueArn"] for queue in DEAD_LETTERS}
