"""Change sets: what a launch would change, asked of CloudFormation before anything is changed."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from photofleet.stack import StackError
from photofleet.stack.stacks import NESTED, describe

_BEING_MADE = ("CREATE_PENDING", "CREATE_IN_PROGRESS")
_NOTHING = ("didn't contain changes", "No updates are to be performed")
_NESTED_FAILURE = re.compile(r"arn:[\w-]+:cloudformation:\S+:changeSet/\S+")


@dataclass(frozen=True)
class Change:
    """What would become of one resource; `path` names the nested stack that it is in."""

    path: str
    action: str
    logical_id: str
    type: str
    physical_id: str
    replacement: str
    reasons: Sequence[str]
    nested_changes: bool

    @property
    def is_replaced(self) -> bool:
        """Whether the resource is made anew, which takes away the one that is there."""
        return self.replacement == "True"


@dataclass(frozen=True)
class ChangeSet:
    """A change set that can be executed; `blind_because` is why what nested stacks change could not be foreseen."""

    id: str
    stack_id: str
    changes: Sequence[Change]
    blind_because: str = ""


def create(
    cloudformation: Any,
    stack: str,
    template_url: str,
    parameters: Sequence[Mapping[str, str | bool]],
    *,
    is_new: bool,
    poll_seconds: float,
) -> ChangeSet | None:
    """Ask for a change set; None if nothing would change.

    What a new stack creates is not asked for in nested stacks: CloudFormation cannot tell while they depend on each
    other's outputs. For an update it is tried, and where CloudFormation fails at it, left.

    Raises:
        StackError: CloudFormation cannot make the changes.
        ClientError: it refuses the request.
    """

    def attempt(*, nested: bool) -> ChangeSet | None:
        name = f"photofleet-{time.time_ns()}"
        made = cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="CREATE" if is_new else "UPDATE",
            TemplateURL=template_url,
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM"],
            IncludeNestedStacks=nested,
        )
        is_usable = False
        try:
            found = _wait_while(cloudformation, made["Id"], _BEING_MADE, poll_seconds)
            changes = tuple(_changes(cloudformation, found))
            is_usable = found["Status"] != "FAILED"
            if is_usable:
                return ChangeSet(found["ChangeSetId"], found["StackId"], changes)
            reason = _reason(cloudformation, found)
            if any(words in reason for words in _NOTHING) and all(change.type == NESTED for change in changes):
                return None
            raise _FailedError(stack, reason)
        finally:
            if not is_usable:
                discard(cloudformation, made["Id"], made["StackId"], is_new=is_new, poll_seconds=poll_seconds)

    try:
        return attempt(nested=not is_new)
    except _FailedError as failed:
        if is_new:
            raise
        change_set = attempt(nested=False)
        return change_set and replace(change_set, blind_because=failed.reason)


class _FailedError(StackError):
    def __init__(self, stack: str, reason: str):
        super().__init__(f"CloudFormation cannot change {stack} so. {reason}")
        self.reason = reason


def discard(cloudformation: Any, change_set_id: str, stack_id: str, *, is_new: bool, poll_seconds: float) -> None:
    """Delete a change set, and with that of a new stack the stack, if that is only a name without another change set.

    Raises:
        StackError: it cannot be deleted.
    """
    # One that is still being made cannot be deleted; one that is being deleted keeps out the next one.
    _wait_while(cloudformation, change_set_id, _BEING_MADE, poll_seconds)
    cloudformation.delete_change_set(ChangeSetName=change_set_id)
    try:
        left = _wait_while(cloudformation, change_set_id, ("DELETE_PENDING", "DELETE_IN_PROGRESS"), poll_seconds)
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
    else:
        if left["Status"] == "DELETE_FAILED":
            raise StackError(f"The change set {change_set_id} cannot be deleted. {left.get('StatusReason', '')}")
    if is_new:
        _delete_if_empty(cloudformation, stack_id, change_set_id)


def _delete_if_empty(cloudformation: Any, stack_id: str, discarded: str) -> None:
    stack = describe(cloudformation, stack_id)
    if stack is None or stack["StackStatus"] != "REVIEW_IN_PROGRESS":
        return
    change_sets = cloudformation.list_change_sets(StackName=stack["StackName"])["Summaries"]
    if all(change_set["ChangeSetId"] == discarded for change_set in change_sets):
        cloudformation.update_termination_protection(StackName=stack_id, EnableTerminationProtection=False)
        cloudformation.delete_stack(StackName=stack_id)


def _wait_while(
    cloudformation: Any, change_set_id: str, statuses: Sequence[str], poll_seconds: float
) -> Mapping[str, Any]:
    while (found := _describe(cloudformation, change_set_id))["Status"] in statuses:
        time.sleep(poll_seconds)
    return found


def _describe(cloudformation: Any, change_set_id: str) -> Mapping[str, Any]:
    first: dict[str, Any] = {}
    # boto3 has no paginator that keeps what is only on the first page.
    token: dict[str, str] = {}
    while True:
        page = cloudformation.describe_change_set(ChangeSetName=change_set_id, **token)
        first = first or {**page, "Changes": []}
        first["Changes"] += page.get("Changes", [])
        if not page.get("NextToken"):
            return first
        token = {"NextToken": page["NextToken"]}


def _reason(cloudformation: Any, found: Mapping[str, Any]) -> str:
    """Return why a change set failed: of a failed nested one, its own reason."""
    reason: str = found.get("StatusReason", "")
    nested = _NESTED_FAILURE.search(reason)
    if nested and nested[0] != found["ChangeSetId"]:
        below = _describe(cloudformation, nested[0])
        return f"{below['StackName']}: {_reason(cloudformation, below)}"
    return reason or "It gives no reason."


def _changes(cloudformation: Any, found: Mapping[str, Any], path: str = "") -> Iterator[Change]:
    for item in found["Changes"]:
        change = item["ResourceChange"]
        nested = change.get("ChangeSetId")
        yield Change(
            path,
            change["Action"],
            change["LogicalResourceId"],
            change["ResourceType"],
            change.get("PhysicalResourceId", ""),
            change.get("Replacement", ""),
            _properties(change),
            bool(nested),
        )
        if nested:
            below = f"{path}/{change['LogicalResourceId']}" if path else change["LogicalResourceId"]
            yield from _changes(cloudformation, _describe(cloudformation, nested), below)


def _properties(change: Mapping[str, Any]) -> Sequence[str]:
    """Return what of a resource changes: its properties by name, or parts of it such as its Tags or Metadata."""
    targets = (detail.get("Target", {}) for detail in change.get("Details", []))
    return tuple(dict.fromkeys(target.get("Name") or target.get("Attribute", "") for target in targets))
