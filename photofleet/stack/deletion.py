"""Deleting a stack, and what of it stays behind."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from photofleet.stack import Clients, StackError
from photofleet.stack.events import Event, Follower, root_cause
from photofleet.stack.guard_rails import check_is_ours
from photofleet.stack.parameters import values
from photofleet.stack.stacks import NESTED, Stack, describe, family, resources

_RESOURCE = re.compile(r"^  (\w+):\s*$")
_POLICY = re.compile(r"^    DeletionPolicy: (\w+)")
# How what refuses to be deleted is told to let go, by its type: the service, the request and what names it in it.
_DATABASE = {"DeletionProtection": False, "ApplyImmediately": True}
_LOAD_BALANCER = {"Attributes": [{"Key": "deletion_protection.enabled", "Value": "false"}]}
_GUARDED: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "AWS::RDS::DBCluster": ("rds", "modify_db_cluster", "DBClusterIdentifier", _DATABASE),
    "AWS::RDS::DBInstance": ("rds", "modify_db_instance", "DBInstanceIdentifier", _DATABASE),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": (
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
    cloudformation = clients("cloudformation")
    stack = describe(cloudformation, name)
    if stack is None:
        raise StackError(f"There is no stack {name} in this account and region.")
    check_is_ours(cloudformation, stack)
    if stack["StackStatus"].endswith("_IN_PROGRESS") and stack["StackStatus"] != "REVIEW_IN_PROGRESS":
        raise StackError(f"{name} is being changed now ({stack['StackStatus']}). Try again when that has ended.")
    if values(stack).get("Environment") == "production" and stack.get("EnableTerminationProtection"):
        raise StackError(
            f"{name} is a production stack, and protected. If it is to go, take its protection away by hand first: "
            f"aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {name}"
        )
    return stack


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


def _template(cloudformation: Any, stack: str) -> str:
    # As it was uploaded: it is text, as ours are.
    body: str = cloudformation.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    return body


def deletion_policies(template: str) -> dict[str, str]:
    """Return the deletion policies of a template that is written as ours are, by logical id."""
    found: dict[str, str] = {}
    logical_id = ""
    for line in template.partition("\nResources:\n")[2].splitlines():
        if line and not line.startswith((" ", "#")):
            break
        if header := _RESOURCE.match(line):
            logical_id = header[1]
        elif policy := _POLICY.match(line):
            found[logical_id] = policy[1]
    return found


def delete(
    clients: Clients, stack: Stack, found: Sequence[Resource], follow: Callable[[Event], None], poll_seconds: float
) -> None:
    """Take the protection of a stack away, delete it, and wait until it is gone.

    Raises:
        StackError: it could not be deleted; the message says why.
    """
    cloudformation, name, stack_id = clients("cloudformation"), stack["StackName"], stack["StackId"]
    cloudformation.update_termination_protection(StackName=stack_id, EnableTerminationProtection=False)
    let_go(clients, found)
    follower = Follower(cloudformation, stack_id)
    cloudformation.delete_stack(StackName=stack_id)
    events = []
    for event in follower.follow(poll_seconds):
        events.append(event)
        follow(event)
    left = describe(cloudformation, stack_id)
    if left is not None and left["StackStatus"] != "DELETE_COMPLETE":
        cause = root_cause(events)
        because = f"{cause.resource}: {cause.reason}" if cause else "CloudFormation gives no reason."
        raise StackError(
            f"{name} could not be deleted whole and is {left['StackStatus']} now. {because} Mend that, then run "
            f"`photofleet stack delete {name}` again."
        )


def let_go(clients: Clients, found: Sequence[Resource]) -> None:
    """Turn off the deletion protection of what goes with its stack: load balancers and databases."""
    for resource in found:
        if resource.type in _GUARDED and not resource.policy.startswith("Retain"):
            service, request, key, change = _GUARDED[resource.type]
            getattr(clients(service), request)(**{key: resource.physical_id}, **change)
