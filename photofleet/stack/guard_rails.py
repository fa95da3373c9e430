"""What keeps an operator from losing photos or jobs by mistake.

The stack policy and termination protection are CloudFormation's own, and hold for whatever changes the stack; what is
refused here is refused before CloudFormation is asked.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from photofleet.stack import StackError
from photofleet.stack.change_sets import Change
from photofleet.stack.packaging import templates
from photofleet.stack.parameters import values
from photofleet.stack.stacks import NESTED, Stack, family, resources

STATEFUL = (
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
)
"""The types of resources that hold what cannot be made again."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")
_OURS = "Photofleet"


def check_name(name: str) -> None:
    """Raise a StackError if a stack cannot have that name."""
    if not _NAME.fullmatch(name):
        raise StackError(
            f"{name!r} cannot be a stack's name: names are 1 to 24 small letters, digits and hyphens, and begin with a "
            "letter."
        )


def check_is_ours(cloudformation: Any, stack: Stack) -> None:
    """Raise a StackError if a stack is nested in another, or is something else than Photofleet's."""
    name = stack["StackName"]
    if stack.get("ParentId"):
        root = stack["RootId"].split("/")[1]
        raise StackError(f"{name} is nested in {root}, and changes with it only.")
    if not cloudformation.get_template_summary(StackName=name).get("Description", "").startswith(_OURS):
        raise StackError(f"The stack {name} is something else than Photofleet's. Choose another name.")


def check_changes(cloudformation: Any, changes: Sequence[Change]) -> None:
    """Raise a StackError if something that holds state would be replaced or removed."""
    lost = [
        f"{resource} would be {'replaced' if change.is_replaced else 'removed'}"
        for change in changes
        if change.is_replaced or change.action == "Remove"
        for resource in _stateful(cloudformation, change)
    ]
    if lost:
        raise StackError(
            f"Nothing was changed, as this would take away what holds photos or jobs: {'; '.join(lost)}. Undo what "
            "brings that about. Should it be meant: copy what is in there first, then execute a change set of your own."
        )


def _stateful(cloudformation: Any, change: Change) -> Iterator[str]:
    if change.type in STATEFUL:
        yield f"{change.path}/{change.logical_id}".removeprefix("/")
    elif change.type == NESTED and change.physical_id:
        for path, nested in family(cloudformation, change.physical_id, change.logical_id):
            for resource in resources(cloudformation, nested):
                if resource["ResourceType"] in STATEFUL:
                    yield f"{path}/{resource['LogicalResourceId']}"


def check_environment(stack: Stack, environment: str | None) -> None:
    """Raise a StackError if a production stack would be called something else, with which its protection would end."""
    if values(stack).get("Environment") == "production" and environment not in (None, "production"):
        raise StackError(f"{stack['StackName']} is a production stack and stays one; Environment cannot be changed.")


def protect(cloudformation: Any, name: str) -> None:
    """Turn on termination protection, and have every stack of the family refuse to lose what holds state."""
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=True)
    for _, stack in family(cloudformation, name):
        cloudformation.set_stack_policy(StackName=stack, StackPolicyBody=_policy())


def is_protected(cloudformation: Any, stack: Stack) -> bool:
    """Say whether `protect` has been done, and has nothing left to do."""
    policy = _policy()
    return bool(stack["EnableTerminationProtection"]) and all(
        cloudformation.get_stack_policy(StackName=nested).get("StackPolicyBody") == policy
        for _, nested in family(cloudformation, stack["StackName"])
    )


def _policy() -> str:
    return (templates() / "stack-policy.json").read_text(encoding="utf-8")
