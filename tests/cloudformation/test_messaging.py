"""The stack on the embedded AWS, used as the service uses it."""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest
from botocore.exceptions import ClientError

from photofleet.local.aws import EmbeddedAWS
from photofleet.settings import Settings
from tests.cloudformation.conftest import Launch, RootClient, connect

BODY = json.dumps({"body": "W10=", "headers": {"task": "photo_uploaded"}})
FOURTEEN_DAYS = "1209600"
QUEUES = ("PHOTOFLEET_RESIZE_QUEUE_URL", "PHOTOFLEET_LABEL_QUEUE_URL")
DEAD_LETTERS = ("PHOTOFLEET_RESIZE_DEAD_LETTER_URL", "PHOTOFLEET_LABEL_DEAD_LETTER_URL")


@pytest.fixture
def sqs(cloud: Mapping[str, str], root: RootClient) -> Any:
    client = root("sqs")
    for queue in QUEUES + DEAD_LETTERS:
        client.purge_queue(QueueUrl=cloud[queue])
    return client


@pytest.fixture
def sns(root: RootClient) -> Any:
    return root("sns")


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
def test_another_account_cannot_send_to_a_queue(aws: EmbeddedAWS, cloud: Mapping[str, str], queue: str) -> None:
    secret = aws.credentials()["AWS_SECRET_ACCESS_KEY"]
    # The emulator takes such a key for the root user of the account of that number.
    stranger = connect("sqs", cloud, aws_access_key_id="111111111111", aws_secret_access_key=secret)
    with pytest.raises(ClientError, match="AccessDenied"):
        stranger.send_message(QueueUrl=cloud[queue], MessageBody="let me in")


@pytest.mark.parametrize("queue", QUEUES)
def test_a_work_queue_hides_and_waits_as_the_workers_do(cloud: Mapping[str, str], sqs: Any, queue: str) -> None:
    attributes = _attributes(sqs, cloud[queue])
    assert attributes["VisibilityTimeout"] == str(Settings.model_fields["visibility_timeout"].default)
    assert attributes["ReceiveMessageWaitTimeSeconds"] == str(Settings.model_fields["receive_wait"].default)


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


@pytest.fixture
def key(cloud: Mapping[str, str], sqs: Any) -> str:
    """The ARN of the key that messages are encrypted with. The emulator does not keep that of the topic."""
    return _attributes(sqs, cloud[QUEUES[0]])["KmsMasterKeyId"]


@pytest.mark.parametrize("queue", QUEUES + DEAD_LETTERS)
def test_messages_are_encrypted_with_one_key_that_is_asked_for_once_a_day(
    cloud: Mapping[str, str], sqs: Any, key: str, queue: str
) -> None:
    attributes = _attributes(sqs, cloud[queue])
    assert attributes["KmsMasterKeyId"] == key
    assert attributes["KmsDataKeyReusePeriodSeconds"] == "86400"
    assert attributes.get("SqsManagedSseEnabled", "false") == "false"


def test_the_key_is_ours_and_changes_every_year(root: RootClient, key: str) -> None:
    kms = root("kms")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"] == "CUSTOMER"
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]


def test_sns_may_use_the_key_for_our_topic_and_for_no_other(
    cloud: Mapping[str, str], root: RootClient, key: str
) -> None:
    policy = json.loads(root("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    (statement,) = (
        statement for statement in policy["Statement"] if statement["Principal"] == {"Service": "sns.amazonaws.com"}
    )
    assert set(statement["Action"]) == {"kms:GenerateDataKey*", "kms:Decrypt"}
    topics = statement["Condition"]["ArnLike"]["aws:SourceArn"]
    topic = cloud["PHOTOFLEET_TOPIC_ARN"]
    assert fnmatchcase(topic, topics)
    strangers = (topic.replace(":sns:", ":sns:eu-"), topic.replace("000000000000", "111111111111"), "stranger")
    assert not any(fnmatchcase(stranger, topics) for stranger in strangers)


def test_every_other_user_of_the_key_is_a_role_that_calls_sns_or_sqs(
    cloud: Mapping[str, str], key: str, policies: Mapping[str, list[dict[str, Any]]]
) -> None:
    uses = [
        statement
        for statements in policies.values()
        for statement in statements
        if any(action.startswith("kms:") for action in statement["Action"]) and statement["Resource"] in (key, "*")
    ]
    assert len(uses) == 4
    services = {f"{service}.{cloud['AWS_REGION']}.amazonaws.com" for service in ("sns", "sqs")}
    for use in uses:
        assert use["Resource"] == key
        via = use["Condition"]["StringEquals"]["kms:ViaService"]
        assert services.issuperset([via] if isinstance(via, str) else via)


def test_cloudwatch_is_told_the_names_of_the_queues_and_of_the_topic(launch: Launch) -> None:
    outputs = launch("messaging", Name="named")
    for queue in ("ResizeQueue", "ResizeDeadLetter", "LabelQueue", "LabelDeadLetter"):
        assert outputs[f"{queue}Url"].endswith(f"/{outputs[f'{queue}Name']}")
    assert outputs["TopicArn"].endswith(f":{outputs['TopicName']}")
    assert outputs["ControlPrefix"] == "named-control"
