"""The whole service: created, updated and deleted, as an operator does."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from photofleet.local import stacks
from photofleet.stack import Clients, deletion
from photofleet.stack.launch import Launch
from photofleet.stack.stacks import describe, family

NAME = "whole"


@pytest.fixture
def parameters(cloud: Mapping[str, str], clients: Clients) -> Iterator[dict[str, str]]:
    """Those of the local service, for which secrets and machine images were made; the stack goes in the end."""
    local = describe(clients("cloudformation"), stacks.NAME)
    assert local
    given = {item["ParameterKey"]: item["ParameterValue"] for item in local["Parameters"]}
    yield {key: value for key, value in given.items() if not key.endswith("Image")}
    if describe(clients("cloudformation"), NAME):
        delete(clients)


def delete(clients: Clients) -> None:
    found = deletion.check_may_be_deleted(clients, NAME)
    deletion.delete(clients, found, deletion.get_resources(clients, NAME), lambda _: None, 0.05)


def group(clients: Clients) -> dict[str, Any]:
    """The group of Spot instances that resize."""
    resize = dict(family(clients("cloudformation"), NAME))["ResizeStack"]
    outputs = clients("cloudformation").describe_stacks(StackName=resize)["Stacks"][0]["Outputs"]
    name = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "SpotGroupName")
    found: dict[str, Any] = clients("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return dict(found["AutoScalingGroups"][0])


def test_it_is_created_updated_and_deleted_and_photos_and_jobs_stay(
    clients: Clients, parameters: dict[str, str]
) -> None:
    launch = Launch(clients, poll_seconds=0.05)
    outputs = launch.run(NAME, parameters)
    assert outputs is not None
    settings = clients("ssm").get_parameter(Name=outputs["SettingsParameter"])["Parameter"]["Value"]
    bucket = next(line.split("=", 1)[1] for line in settings.splitlines() if "ORIGINALS_BUCKET" in line)
    clients("s3").put_object(Bucket=bucket, Key="originals/1", Body=b"a photo")

    # A fleet that has grown is not set back by an update.
    grown = group(clients)
    clients("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=grown["AutoScalingGroupName"], DesiredCapacity=1
    )
    assert launch.run(NAME, {"ResizeMaxSpot": "7"}) == outputs
    updated = group(clients)
    assert (updated["AutoScalingGroupName"], updated["MaxSize"]) == (grown["AutoScalingGroupName"], 7)
    assert updated["DesiredCapacity"] == 1

    delete(clients)
    assert describe(clients("cloudformation"), NAME) is None
    assert clients("s3").get_object(Bucket=bucket, Key="originals/1")["Body"].read() == b"a photo"
    assert not clients("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[grown["AutoScalingGroupName"]]
    )["AutoScalingGroups"]
