"""Deleting stacks; how the command asks is tested with the commands."""

import json
from typing import Any

import pytest
from botocore.stub import Stubber

from photofleet.fleet.template import parse_template
from photofleet.stack import Clients, StackError, deletion
from photofleet.stack.events import Event
from photofleet.stack.stacks import describe
from tests.photofleet.stack.conftest import Run, on, refusing


@pytest.mark.parametrize(
    ("resource", "policy"),
    [
        ({"Type": "AWS::SQS::Queue"}, "Delete"),
        ({"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain"}, "Retain"),
        ({"Type": "AWS::RDS::DBCluster"}, "Snapshot"),
        ({"Type": "AWS::RDS::DBInstance", "Properties": {"DBInstanceClass": "db.t4g.medium"}}, "Snapshot"),
        ({"Type": "AWS::RDS::DBInstance", "Properties": {"DBClusterIdentifier": {"Ref": "Cluster"}}}, "Delete"),
        ({"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Delete"}, "Delete"),
    ],
)
def test_what_becomes_of_a_resource_is_what_it_states_or_aws_does_without(
    resource: dict[str, Any], policy: str
) -> None:
    assert deletion.deletion_policies({"Resources": {"One": resource}}) == {"One": policy}


@pytest.mark.parametrize("style", ["YAML", "YAML with CRLF", "JSON"])
def test_what_stays_is_known_however_the_template_is_written(name: str, clients: Clients, style: str) -> None:
    text = "Description: Photofleet.\nResources:\n  Photos:\n    Type: AWS::SQS::Queue\n    DeletionPolicy: Retain\n"
    if style == "YAML with CRLF":
        text = text.replace("\n", "\r\n")
    elif style == "JSON":
        text = json.dumps(parse_template(text, "the test"))
    cloudformation = clients("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=text)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})
    assert [(one.path, one.stays) for one in deletion.get_resources(clients, name)] == [("Photos", True)]


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

    assert deletion.let_go(clients, deletion.Resource("WebStack/LoadBalancer", kind, arn, "Delete"))

    attributes = balancers.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    assert {"Key": "deletion_protection.enabled", "Value": "false"} in attributes
    balancers.delete_load_balancer(LoadBalancerArn=arn)


@pytest.mark.parametrize(
    ("kind", "request_name", "key"),
    [
        ("AWS::RDS::DBCluster", "modify_db_cluster", "DBClusterIdentifier"),
        ("AWS::RDS::DBInstance", "modify_db_instance", "DBInstanceIdentifier"),
    ],
)
def test_a_database_that_leaves_a_last_snapshot_lets_go(
    clients: Clients, kind: str, request_name: str, key: str
) -> None:
    # The embedded AWS has no databases.
    with Stubber(clients("rds")) as rds:
        rds.add_response(request_name, {}, {key: "photos", "DeletionProtection": False})
        assert deletion.let_go(clients, deletion.Resource("DatabaseStack/It", kind, "photos", "Snapshot"))
        rds.assert_no_pending_responses()


@pytest.mark.parametrize("policy", ["Retain", "RetainExceptOnCreate", "Delete"])
def test_a_database_that_stays_or_is_a_member_of_a_cluster_is_not_asked_to_let_go(
    clients: Clients, policy: str
) -> None:
    database = deletion.Resource("DatabaseStack/Instance", "AWS::RDS::DBInstance", "photos", policy)
    with Stubber(clients("rds")):  # any request would fail
        assert not deletion.let_go(clients, database)


def test_a_production_stack_that_is_protected_again_meanwhile_is_not_deleted(
    launch: Run, name: str, clients: Clients
) -> None:
    cloudformation = clients("cloudformation")
    launch(name, {"Environment": "production"})
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    stack = deletion.check_may_be_deleted(clients, name)
    resources = deletion.get_resources(clients, name)
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=True)
    with pytest.raises(StackError, match="production stack, and protected"):
        deletion.delete(clients, stack, resources, lambda _event: None, 0.05)
    _assert_protected(clients, name)


def test_a_production_stack_that_is_protected_in_the_last_moment_is_kept_by_cloudformation(
    launch: Run, name: str, clients: Clients
) -> None:
    cloudformation = clients("cloudformation")
    launch(name, {"Environment": "production"})
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    stack = deletion.check_may_be_deleted(clients, name)
    protecting = iter([True])

    def protect(**_about: Any) -> None:
        for protected in protecting:
            cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=protected)

    on(cloudformation, "before-call.cloudformation.DeleteStack", protect)
    with pytest.raises(StackError, match=f"{name} was not deleted.*TerminationProtection"):
        deletion.delete(clients, stack, [], lambda _event: None, 0.05)
    _assert_protected(clients, name)


def test_what_a_deletion_that_fails_has_unprotected_is_named(launch: Run, name: str, clients: Clients) -> None:
    launch(name)
    stack = deletion.check_may_be_deleted(clients, name)
    database = deletion.Resource("DatabaseStack/Instance", "AWS::RDS::DBInstance", "photos-db", "Snapshot")
    on(clients("cloudformation"), "before-call.cloudformation.DeleteStack", refusing("DeleteStack"))
    rds = Stubber(clients("rds"))
    rds.add_response("modify_db_instance", {})
    with rds, pytest.raises(StackError) as failure:
        deletion.delete(clients, stack, [database], lambda _event: None, 0.05)
    assert str(failure.value).startswith(f"{name} was not deleted. An error occurred (AccessDenied)")
    assert str(failure.value).endswith(
        f"No longer protected from being deleted: the stack {name} itself, photos-db (DatabaseStack/Instance)."
    )


def _assert_protected(clients: Clients, name: str) -> None:
    stack = describe(clients("cloudformation"), name)
    assert stack
    assert (stack["StackStatus"], stack["EnableTerminationProtection"]) == ("CREATE_COMPLETE", True)
