"""What is known about a stack."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from photofleet.stack import Clients, StackError
from photofleet.stack.events import Event, last_operation, root_cause
from photofleet.stack.guard_rails import check_name
from photofleet.stack.stacks import describe, family, outputs


def get_status(clients: Clients, name: str) -> dict[str, Any]:
    """Return the state of a stack, of those nested in it, its protection, outputs, and what last failed.

    Raises:
        StackError: there is no such stack.
    """
    check_name(name)
    cloudformation = clients("cloudformation")
    stack = describe(cloudformation, name)
    if stack is None:
        raise StackError(f"There is no stack {name} in this account and region.")
    status = stack["StackStatus"]
    failed = "FAILED" in status or "ROLLBACK" in status
    cause = root_cause(last_operation(cloudformation, stack["StackId"])) if failed else None
    return {
        "name": stack["StackName"],
        "status": status,
        "termination_protection": stack.get("EnableTerminationProtection", False),
        "stack_policy": bool(cloudformation.get_stack_policy(StackName=name).get("StackPolicyBody")),
        "nested": {path: _state(cloudformation, nested) for path, nested in family(cloudformation, name) if path},
        "outputs": outputs(stack),
        "last_failure": _failure(cause) if cause else None,
        **_drift(stack),
    }


def _state(cloudformation: Any, stack: str) -> Mapping[str, Any]:
    found = describe(cloudformation, stack) or {"StackStatus": "DELETE_COMPLETE"}
    return {"status": found["StackStatus"], **_drift(found)}


def _drift(stack: Mapping[str, Any]) -> Mapping[str, Any]:
    drift = stack.get("DriftInformation", {})
    checked = drift.get("LastCheckTimestamp")
    return {
        "drift": drift.get("StackDriftStatus", "NOT_CHECKED"),
        "drift_checked": checked.isoformat(timespec="seconds") if checked else None,
    }


def _failure(event: Event) -> Mapping[str, str]:
    return {
        "at": event.at.isoformat(timespec="seconds"),
        "resource": event.resource,
        "type": event.type,
        "status": event.status,
        "reason": event.reason,
    }


def describe_status(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that show people what `get_status` returns."""
    yield f"{found['name']}  {found['status']}"
    for path, state in sorted(found["nested"].items()):
        yield f"  {path:<20} {state['status']}{_drifted(state)}"
    yield f"Termination protection: {'on' if found['termination_protection'] else click.style('off', fg='red')}"
    yield f"Stack policy: {'set' if found['stack_policy'] else click.style('none', fg='red')}"
    yield f"Drift: {found['drift']}" + (f" at {found['drift_checked']}" if found["drift_checked"] else "")
    if failure := found["last_failure"]:
        yield click.style(f"Last failure, at {failure['at']}: {failure['resource']}", fg="red")
        yield f"  {failure['reason']}"
    yield from describe_outputs(found["outputs"])


def describe_outputs(outputs: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each output."""
    width = max(map(len, outputs), default=0)
    for key, value in sorted(outputs.items()):
        yield f"{key:<{width}}  {value}"


def _drifted(state: Mapping[str, Any]) -> str:
    return "  drifted: something was changed by hand" if state["drift"] == "DRIFTED" else ""
