"""Deleting stacks; how the command asks is tested with the commands."""

from importlib.resources.abc import Traversable
from typing import Any

import pytest
import yaml

from photofleet.stack import Clients, StackError, deletion
from photofleet.stack.events import Event
from photofleet.stack.packaging import templates
from photofleet.stack.stacks import describe
from tests.photofleet.stack.conftest import Run


class Loader(yaml.SafeLoader):
    """Reads templates; what a !Ref or another function of CloudFormation would give is None."""


Loader.add_multi_constructor("!", lambda _loader, _function, _node: None)

TEMPLATES = sorted((file for file in templates().iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_the_deletion_policies_of_our_templates_are_read_right(file: Traversable) -> None:
    text = file.read_text(encoding="utf-8")
    parsed: dict[str, Any] = yaml.load(text, Loader)  # noqa: S506 - it is a SafeLoader
    expected = {
        logical_id: resource["DeletionPolicy"]
        for logical_id, resource in parsed["Resources"].items()
        if "DeletionPolicy" in resource
    }
    assert deletion.deletion_policies(text) == expected


def test_what_is_retained_stays_and_the_rest_goes(launch: Run, name: str, clients: Clients) -> None:
    outputs = launch(name)
    assert outputs
    stack = deletion.check_may_be_deleted(clients, name)
    resources = deletion.get_resources(clients, name)
    assert [(one.path, one.physical_id) for one in resources if one.stays] == [("StateStack/Photos", outputs["Photos"])]
    events: list[Event] = []

    deletion.delete(clients, stack, resources, events.append, 0.05)

    assert describe(clients("cloudformation"), name) is None
    queues = clients("sqs").list_queues(QueueNamePrefix=name)["QueueUrls"]
    assert queues == [outputs["Photos"]]
    assert ("StateStack/Photos", "DELETE_SKIPPED") in [(event.resource, event.status) for event in events]
    assert ("the stack itself", "DELETE_COMPLETE") in [(event.resource, event.status) for event in events]


def test_a_production_stack_is_deleted_only_once_its_protection_is_taken_away_by_hand(
    launch: Run, name: str, clients: Clients
) -> None:
    launch(name, {"Environment": "production"})
    with pytest.raises(StackError, match="production stack, and protected") as refusal:
        deletion.check_may_be_deleted(clients, name)
    assert f"--no-enable-termination-protection --stack-name {name}" in str(refusal.value)
    clients("cloudformation").update_termination_protection(StackName=name, EnableTerminationProtection=False)
    assert deletion.check_may_be_deleted(clients, name)["StackName"] == name


def test_the_load_balancer_of_a_stack_lets_go(clients: Clients) -> None:
    balancers = clients("elbv2")
    subnets = [subnet["SubnetId"] for subnet in clients("ec2").describe_subnets()["Subnets"]][:2]
    (made,) = balancers.create_load_balancer(Name="guarded", Subnets=subnets)["LoadBalancers"]
    arn = made["LoadBalancerArn"]
    protected = {"Key": "deletion_protection.enabled", "Value": "true"}
    balancers.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[protected])
    kind = "AWS::ElasticLoadBalancingV2::LoadBalancer"

    deletion.let_go(clients, [deletion.Resource("WebStack/LoadBalancer", kind, arn, "Delete")])

    attributes = balancers.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    assert {"Key": "deletion_protection.enabled", "Value": "false"} in attributes
    balancers.delete_load_balancer(LoadBalancerArn=arn)


@pytest.mark.parametrize("policy", ["Retain", "RetainExceptOnCreate"])
def test_what_stays_keeps_its_protection(clients: Clients, policy: str) -> None:
    database = deletion.Resource("DatabaseStack/Instance", "AWS::RDS::DBInstance", "nonesuch", policy)
    deletion.let_go(clients, [database])  # it would fail if it asked RDS for that database
