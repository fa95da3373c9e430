"""Deleting a stack, and what of it stays behind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from photofleet.fleet.template import parse_template
from photofleet.stack import Clients, StackError
from photofleet.stack.events import Event, Follower, root_cause
from photofleet.stack.guard_rails import check_is_ours, check_name
from photofleet.stack.parameters import values
from photofleet.stack.stacks import NESTED, Stack, describe, family, resources

# How what refuses to be deleted is told to let go: the service, the request and what names it in it. That a database
# lets go holds at once, and a member of an Aurora cluster, which has the policy Delete, refuses nothing.
_DATABASE = {"DeletionProtection": False}
_LOAD_BALANCER = {"Attributes": [{"Key": "deletion_protection.enabled", "Value": "false"}]}
_GUARDED: dict[tuple[str, str], tuple[str, str, str, dict[str, Any]]] = {
    ("AWS::RDS::DBCluster", "Snapshot"): ("rds", "modify_db_cluster", "DBClusterIdentifier", _DATABASE),
    ("AWS::RDS::DBInstance", "Snapshot"): ("rds", "modify_db_instance", "DBInstanceIdentifier", _DATABASE),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "Delete"): (
        "elbv2",
        "modify_load_balancer_attributes",
        "LoadBalancerArn",
        _LOAD_BALANCER,
    ),
}


@dataclass(frozen=True)
class Resource:
    """A resource of a stack or of one nested in it, and what becomes of it when the stack is deleted."""

    path: str
    type: str
    physical_id: str
    policy: str

    @property
    def stays(self) -> bool:
        """Whether something of it stays behind."""
        return self.policy != "Delete"

    def __str__(self) -> str:
        what = "a last snapshot of " if self.policy == "Snapshot" else ""
        return f"{what}{self.physical_id}  {self.type} ({self.path})"


def check_may_be_deleted(clients: Clients, name: str) -> Stack:
    """Return the stack.

    Raises:
        StackError: it may not be deleted: it is not there, not ours, or a production stack that is protected.
    """
    check_name(name)
    cloudformation = clients("cloudformation")
    stack = describe(cloudformation, name)
    if stack is None:
        raise StackError(f"There is no stack {name} in this account and region.")
    check_is_ours(cloudformation, stack)
    if stack["StackStatus"].endswith("_IN_PROGRESS") and stack["StackStatus"] != "REVIEW_IN_PROGRESS":
        raise StackError(f"{name} is being changed now ({stack['StackStatus']}). Try again when that has ended.")
    _check_is_not_protected(stack)
    return stack


def _is_production(stack: Stack) -> bool:
    return values(stack).get("Environment") == "production"


def _check_is_not_protected(stack: Stack) -> None:
    if _is_production(stack) and stack.get("EnableTerminationProtection"):
        name = stack["StackName"]
        raise StackError(
            f"{name} is a production stack, and protected. If it is to go, take its protection away by hand first: "
            f"aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {name}"
        )


def get_resources(clients: Clients, name: str) -> list[Resource]:
    """Return every resource of a stack and of those nested in it."""
    cloudformation = clients("cloudformation")
    found = []
    for path, stack in family(cloudformation, name):
        policies = deletion_policies(_template(cloudformation, stack))
        for resource in resources(cloudformation, stack):
            if resource["ResourceType"] != NESTED:
                logical_id = resource["LogicalResourceId"]
                found.append(
                    Resource(
                        f"{path}/{logical_id}".removeprefix("/"),
                        resource["ResourceType"],
                        resource["PhysicalResourceId"],
                        policies.get(logical_id, "Delete"),
                    )
                )
    return found


def _template(cloudformation: Any, stack: str) -> Mapping[str, Any]:
    body: str | Mapping[str, Any] = cloudformation.get_template(StackName=stack, TemplateStage="Original")[
        "TemplateBody"
    ]
    # One that was uploaded as JSON comes parsed.
    return parse_template(body, f"The template of {stack}") if isinstance(body, str) else body


def deletion_policies(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the deletion policy of each resource of a template, by logical id.

    What a resource has that states none:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
    """
    return {key: item.get("DeletionPolicy") or _default(item) for key, item in template["Resources"].items()}


def _default(resource: Mapping[str, Any]) -> str:
    is_member = "DBClusterIdentifier" in resource.get("Properties", {})
    is_database = resource["Type"] in ("AWS::RDS::DBCluster", "AWS::RDS::DBInstance") and not is_member
    return "Snapshot" if is_database else "Delete"


def delete(
    clients: Clients, stack: Stack, found: Sequence[Resource], follow: Callable[[Event], None], poll_seconds: float
) -> None:
    """Take the protection of a stack away, unless it is a production stack, delete it, and wait until it is gone.

    Raises:
        StackError: it could not be deleted; the message says why, and what is protected no longer.
    """
    cloudformation, name, stack_id = clients("cloudformation"), stack["StackName"], stack["StackId"]
    # It may have been protected again while the operator was asked.
    _check_is_not_protected(describe(cloudformation, stack_id) or stack)
    unprotected = []
    try:
        if not _is_production(stack):
            cloudformation.update_termination_protection(StackName=stack_id, EnableTerminationProtection=False)
            unprotected.append(f"the stack {name} itself")
        for resource in found:
            was_guarded = let_go(clients, resource)
            if was_guarded:
                unprotected.append(f"{resource.physical_id} ({resource.path})")
        follower = Follower(cloudformation, stack_id)
        cloudformation.delete_stack(StackName=stack_id)
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"{name} was not deleted. {error}{_said_of(unprotected)}") from error
    events = []
    for event in follower.follow(poll_seconds):
        events.append(event)
        follow(event)
    if follower.status != "DELETE_COMPLETE":
        cause = root_cause(events)
        because = f"{cause.resource}: {cause.reason}" if cause else "CloudFormation gives no reason."
        raise StackError(
            f"{name} could not be deleted whole and is {follower.status} now. {because} Mend that, then run "
            f"`photofleet stack delete {name}` again.{_said_of(unprotected)}"
        )


def _said_of(unprotected: Sequence[str]) -> str:
    return f" No longer protected from being deleted: {', '.join(unprotected)}." if unprotected else ""


def let_go(clients: Clients, resource: Resource) -> bool:
    """Turn off the deletion protection of a load balancer or database that goes with its stack; say if it is one."""
    guarded = _GUARDED.get((resource.type, resource.policy))
    if guarded:
        service, request, key, change = guarded
        getattr(clients(service), request)(**{key: resource.physical_id}, **change)
    return guarded is not None
