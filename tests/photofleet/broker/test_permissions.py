"""Each role may do what it needs, and no more: the policies of cloudformation/messaging.yaml, enforced."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.settings import Settings, get_settings
from tests.photofleet.broker.conftest import StartFleet, announce, eventually
from tests.photofleet.broker.queues import Queues
from tests.refusals import is_allowed


@pytest.fixture(scope="module")
def credentials(aws: EmbeddedAWS, service: None) -> Iterator[Callable[[str], dict[str, str]]]:
    """A function that returns the environment of somebody who has one of the stack's policies, and nothing else."""
    root = aws.client_environment()
    iam, outputs = stacks.client(root, "iam"), stacks.launched(root)
    keys: dict[str, dict[str, Any]] = {}

    def get(policy: str) -> dict[str, str]:
        if policy not in keys:
            iam.create_user(UserName=policy)
            iam.attach_user_policy(UserName=policy, PolicyArn=outputs[f"{policy}Arn"])
            keys[policy] = iam.create_access_key(UserName=policy)["AccessKey"]
        key = keys[policy]
        return root | {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    yield get
    for policy, key in keys.items():
        iam.delete_access_key(UserName=policy, AccessKeyId=key["AccessKeyId"])
        iam.detach_user_policy(UserName=policy, PolicyArn=outputs[f"{policy}Arn"])
        iam.delete_user(UserName=policy)


def mailbox(settings: Settings, name: str) -> str:
    return f"{settings.resize_queue_url.rsplit('/', 1)[0]}/{settings.control_prefix}-{name}"


def test_a_worker_works_and_answers_and_an_operator_asks_with_their_own_policies_alone(
    credentials: Callable[[str], dict[str, str]], start_fleet: StartFleet, queues: Queues
) -> None:
    announce("again")
    announce("broken")
    with start_fleet(node="resize@i-0abc", **credentials("ResizeWorkPolicy")) as fleet:
        eventually(lambda: queues.counts("RESIZE_DEAD_LETTER") == (1, 0))
        announce("cat")
        eventually(lambda: "cat done" in fleet.notes)
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 1))

        command = (sys.executable, "-m", "celery", "--app", "workers", "inspect", "--json", "ping")
        environment = os.environ | credentials("CommandPolicy")
        asked = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert json.loads(asked.stdout) == {"resize@i-0abc": {"ok": "pong"}}, asked.stderr
        assert "AccessDenied" not in fleet.log


def test_a_worker_commands_nobody_and_takes_nothing_of_another_fleet(
    credentials: Callable[[str], dict[str, str]], queues: Queues
) -> None:
    settings = get_settings()
    sqs = stacks.client(credentials("ResizeWorkPolicy"), "sqs")
    for node in ("node-resize_i-0abc", "node-label_i-0def"):
        stacks.client(dict(os.environ), "sqs").create_queue(QueueName=f"{settings.control_prefix}-{node}")

    for queue_url in (
        mailbox(settings, "node-resize_i-0abc"),
        mailbox(settings, "node-label_i-0def"),
        settings.resize_queue_url,
        settings.label_queue_url,
    ):
        assert not is_allowed(sqs.send_message, QueueUrl=queue_url, MessageBody="shutdown"), queue_url
    for queue_url in (mailbox(settings, "node-label_i-0def"), settings.label_queue_url):
        assert not is_allowed(sqs.receive_message, QueueUrl=queue_url), queue_url
    for queue_url in (mailbox(settings, "node-resize_i-0abc"), settings.resize_queue_url):
        assert is_allowed(sqs.receive_message, QueueUrl=queue_url), queue_url
        assert not is_allowed(sqs.delete_queue, QueueUrl=queue_url), queue_url
        assert not is_allowed(sqs.purge_queue, QueueUrl=queue_url), queue_url
    assert not is_allowed(sqs.list_queues)
    assert not is_allowed(sqs.create_queue, QueueName="another-prefix-node-resize_i-0abc")


def test_the_web_tier_announces_and_does_nothing_else(
    credentials: Callable[[str], dict[str, str]], queues: Queues
) -> None:
    settings, environment = get_settings(), credentials("UploadPolicy")
    sqs, sns = stacks.client(environment, "sqs"), stacks.client(environment, "sns")

    assert is_allowed(sns.publish, TopicArn=settings.topic_arn, Message="{}")
    assert is_allowed(sqs.get_queue_attributes, QueueUrl=settings.resize_queue_url, AttributeNames=["All"])
    assert not is_allowed(sqs.receive_message, QueueUrl=settings.resize_queue_url)
    assert not is_allowed(sqs.send_message, QueueUrl=mailbox(settings, "node-resize_i-0abc"), MessageBody="shutdown")
    assert not is_allowed(sqs.list_queues)


def test_house_is_kept_with_the_policy_for_commands_and_photos_are_announced_and_counted_with_that_for_uploads(
    credentials: Callable[[str], dict[str, str]], queues: Queues
) -> None:
    def run(policy: str, program: str) -> str:
        command = (sys.executable, "-c", program)
        done = subprocess.run(
            command, env=os.environ | credentials(policy), capture_output=True, text=True, check=False
        )
        assert "AccessDenied" not in done.stderr + done.stdout, done.stderr
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("CommandPolicy", "from photofleet.broker.control import prune_mailboxes; prune_mailboxes(patience_s=0)")
    announce_photo = """
from uuid import UUID
from photofleet.announce import announce_photo
assert announce_photo(UUID(int=1), "r1")
"""
    run("UploadPolicy", announce_photo)
    eventually(lambda: queues.counts("RESIZE_QUEUE") == (1, 0))
    look = "from photofleet.operations.status import get_status; print(get_status(ask=False).queues[0].waiting)"
    assert run("UploadPolicy", look) == "1\n"
