"""Change sets: what a launch would change, asked of CloudFormation before anything is changed."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from photofleet.stack import StackError

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

    def attempt(*, nested: bool) -> Mapping[str, Any]:
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
        while (found := _describe(cloudformation, made["Id"]))["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            time.sleep(poll_seconds)
        return found

    found = attempt(nested=not is_new)
    blind_because = ""
    if found["Status"] == "FAILED" and not is_new and not _is_nothing(found):
        blind_because = _reason(cloudformation, found)
        _delete(cloudformation, found, poll_seconds)
        found = attempt(nested=False)
    if found["Status"] == "FAILED":
        _delete(cloudformation, found, poll_seconds)
        if _is_nothing(found):
            return None
        raise StackError(f"CloudFormation cannot change {stack} so. {_reason(cloudformation, found)}")
    changes = tuple(_changes(cloudformation, found))
    return ChangeSet(found["ChangeSetId"], found["StackId"], changes, blind_because)


def discard(cloudformation: Any, change_set: ChangeSet, *, is_new: bool, poll_seconds: float) -> None:
    """Delete a change set, and with that of a new stack the stack, which is only a name so far."""
    _delete(cloudformation, _describe(cloudformation, change_set.id), poll_seconds)
    if is_new:
        cloudformation.delete_stack(StackName=change_set.stack_id)


def _delete(cloudformation: Any, found: Mapping[str, Any], poll_seconds: float) -> None:
    """Delete a change set with those of nested stacks, and wait until they are gone, as they keep out the next one."""
    cloudformation.delete_change_set(ChangeSetName=found["ChangeSetId"])
    try:
        while _describe(cloudformation, found["ChangeSetId"])["Status"].startswith("DELETE_"):
            time.sleep(poll_seconds)
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise


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


def _is_nothing(found: Mapping[str, Any]) -> bool:
    return any(words in found.get("StatusReason", "") for words in _NOTHING)


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
