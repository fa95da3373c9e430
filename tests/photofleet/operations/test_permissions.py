"""The commands with the rights that they need, and no others: the embedded AWS enforces them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from uuid import uuid4

import boto3
import pytest

from photofleet.catalog.models import STAGES, Photo
from photofleet.settings import get_settings
from tests.photofleet.broker.queues import Queues

Run = Callable[..., subprocess.CompletedProcess[str]]

LOOK = ("GetQueueAttributes", "ReceiveMessage", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch")
SEND_BACK = ("DeleteMessage",)
PURGE = ("PurgeQueue",)


def arns(kind: str) -> list[str]:
    sqs, settings = boto3.client("sqs"), get_settings()
    urls = [getattr(settings, f"{stage}_{kind}_url") for stage in STAGES]
    found = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"]) for url in urls]
    return [answer["Attributes"]["QueueArn"] for answer in found]


@pytest.fixture
def run_with(service: None) -> Iterator[Run]:
    """A function that runs `photofleet` as somebody with these rights on the dead-letter queues and on the queues."""
    iam, user = boto3.client("iam"), f"ops-{uuid4()}"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def run(dead_letters: tuple[str, ...], queues: tuple[str, ...], *words: str) -> subprocess.CompletedProcess[str]:
        statements = [
            {"Effect": "Allow", "Action": [f"sqs:{action}" for action in actions], "Resource": arns(kind)}
            for kind, actions in (("dead_letter", dead_letters), ("queue", queues))
            if actions
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=user, PolicyName="rights", PolicyDocument=policy)
        command = (sys.executable, "-c", "from photofleet.cli import main; main()", *words)
        return subprocess.run(command, env=os.environ | credentials, capture_output=True, text=True, check=False)

    yield run
    iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=user, PolicyName="rights")
    iam.delete_user(UserName=user)


def test_the_rights_that_are_documented_suffice_and_without_them_it_says_what_is_missing(
    queues: Queues, give_up: Callable[..., Photo], run_with: Run
) -> None:
    give_up()
    give_up()

    shown = run_with(LOOK, (), "dlq", "show")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert queues.counts("RESIZE_DEAD_LETTER") == (2, 0)

    refused = run_with(LOOK + SEND_BACK, (), "dlq", "redrive", "resize")
    assert refused.returncode == 1
    assert "sqs:SendMessage" in refused.stderr
    assert queues.counts("RESIZE_DEAD_LETTER") == (2, 0)

    sent = run_with(LOOK + SEND_BACK, ("SendMessage",), "dlq", "redrive", "resize", "--limit", "1")
    assert (sent.returncode, sent.stderr) == (0, "")
    assert queues.counts("RESIZE_QUEUE") == (1, 0)

    purged = run_with(LOOK + PURGE, (), "dlq", "purge", "resize", "--yes")
    assert (purged.returncode, purged.stderr) == (0, "")
    assert queues.counts("RESIZE_DEAD_LETTER") == (0, 0)


def test_the_status_is_shown_even_to_those_who_may_not_ask_the_workers(queues: Queues, run_with: Run) -> None:
    result = run_with(("GetQueueAttributes",), ("GetQueueAttributes",), "status", "--json")

    assert result.returncode == 0, result.stderr
    status = json.loads(result.stdout)
    assert [queue["waiting"] for queue in status["queues"]] == [0, 0]
    assert status["workers"] is None
    assert status["workers_error"].startswith("AWS does not answer as it should: ")
    assert "not authorized" in status["workers_error"]
