from collections.abc import Mapping

import pytest

from photofleet.local import stacks

QUEUE = """
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: {timeout}
Outputs:
  Url:
    Value: !Ref Queue
"""
BROKEN = QUEUE.format(timeout=1_000_000)


def test_launching_again_changes_nothing(cloud: Mapping[str, str]) -> None:
    outputs = stacks.launch(cloud)
    assert stacks.launch(cloud) == outputs
    assert outputs["OriginalsBucket"] == cloud["PHOTOFLEET_ORIGINALS_BUCKET"]


def test_a_changed_template_updates_its_stack(cloud: Mapping[str, str]) -> None:
    client = stacks.client(cloud)
    before = stacks.launch_stack(client, "changing", QUEUE.format(timeout=30))
    assert stacks.launch_stack(client, "changing", QUEUE.format(timeout=40)) == before
    found = stacks.client(cloud, "sqs").get_queue_attributes(
        QueueUrl=before["Url"], AttributeNames=["VisibilityTimeout"]
    )
    assert found["Attributes"]["VisibilityTimeout"] == "40"


def test_a_failed_stack_says_which_resource_failed_and_why(cloud: Mapping[str, str]) -> None:
    with pytest.raises(stacks.StackError, match=r"The stack broken failed\. Queue: .*VisibilityTimeout"):
        stacks.launch_stack(stacks.client(cloud), "broken", BROKEN)


def test_a_stack_that_failed_to_be_created_can_be_launched_once_its_template_is_right(
    cloud: Mapping[str, str],
) -> None:
    client = stacks.client(cloud)
    with pytest.raises(stacks.StackError):
        stacks.launch_stack(client, "mended", BROKEN)
    assert stacks.launch_stack(client, "mended", QUEUE.format(timeout=30))["Url"]


def test_a_template_that_is_none_is_refused_in_words(cloud: Mapping[str, str]) -> None:
    with pytest.raises(stacks.StackError, match=r"The stack nonsense was refused\. .+"):
        stacks.launch_stack(stacks.client(cloud), "nonsense", "nonsense")
