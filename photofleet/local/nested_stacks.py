# ruff: noqa: SLF001 -- ministack has no other way in
"""Nested stacks in the embedded AWS, as CloudFormation has them.

What ministack 1.5.33 does with them, and why that is not enough here:

- Updating one forgets what !GetAtt gives of every resource that stays as it is, and the stack policy.
- Deleting one deletes what its deletion policies retain. One that fails to be created leaves behind what it made.
- Its events do not say which nested stack they are about before it is complete, so nobody finds why it failed.
- A change set does not say what changes inside of it.
"""

import asyncio
import copy
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

NESTED = "AWS::CloudFormation::Stack"

Request = Mapping[str, Any]
Response = tuple[int, Any, Any]
Stack = MutableMapping[str, Any]


def mend() -> None:
    """Have this process's ministack treat nested stacks so."""
    provisioners._update_resource = _keeping_attributes(provisioners._update_resource)
    provisioners._RESOURCE_HANDLERS[NESTED] = {"create": _create, "update": _update, "delete": _delete}
    actions = handlers._ACTION_HANDLERS
    for action in ("CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet"):
        _plain[action] = actions[action]
    actions["CreateChangeSet"] = _create_change_set
    actions["DescribeChangeSet"] = _describe_change_set
    actions["ExecuteChangeSet"] = actions["DeleteChangeSet"] = _without_nested_change_sets


def _keeping_attributes(update: Callable[..., tuple[str, dict[str, Any]]]) -> Callable[..., tuple[str, dict[str, Any]]]:
    def update_keeping_attributes(
        kind: str,
        physical_id: str,
        old: Request,
        new: Request,
        stack: str,
        logical_id: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> tuple[str, dict[str, Any]]:
        if attributes is None:
            attributes = _stack(stack).get("_resources", {}).get(logical_id, {}).get("Attributes", {})
        new_id, changed = update(kind, physical_id, old, new, stack, logical_id, attributes)
        return new_id, {**attributes, **changed} if new_id == physical_id else changed

    return update_keeping_attributes


def _create(logical_id: str, properties: Request, parent: str) -> tuple[str, dict[str, Any]]:
    before = set(_children(parent))
    try:
        created: tuple[str, dict[str, Any]] = provisioners._cfn_nested_stack_create(logical_id, properties, parent)
    except Exception:
        for name in set(_children(parent)) - before:
            _name_in_events(parent, logical_id, _stack(name), "CREATE_IN_PROGRESS")
            _take_back(_stack(name))
        raise
    return created


def _update(physical_id: str, old: Request, new: Request, parent: str) -> tuple[str, dict[str, Any]]:
    name = provisioners._nested_stack_lookup_name(physical_id)
    before = _stack(name)
    logical_id = next(
        (key for key, found in _stack(parent)["_resources"].items() if found["PhysicalResourceId"] == physical_id), name
    )
    _name_in_events(parent, logical_id, before, "UPDATE_IN_PROGRESS")
    updated: tuple[str, dict[str, Any]] = provisioners._cfn_nested_stack_update(physical_id, old, new, parent)
    _stack(name)["_stack_policy"] = before.get("_stack_policy", "")
    return updated


def _delete(physical_id: str, _properties: Request) -> None:
    stack = _stack(provisioners._nested_stack_lookup_name(physical_id))
    if not stack or stack["StackStatus"] == "DELETE_COMPLETE":
        return
    if "ROLLBACK" in _stack(stack["_parent_stack_name"]).get("StackStatus", ""):
        _take_back(stack)
        return
    # This is a thread of its own, and what it calls is written for an event loop.
    asyncio.run(stacks._delete_stack_async(stack["StackName"], stack["StackId"]))
    if stack["StackStatus"] == "DELETE_FAILED":
        raise ValueError(f"Embedded stack {physical_id} was not successfully deleted: {stack['StackStatusReason']}")


def _take_back(stack: Stack) -> None:
    """Delete what a stack made that its parent does not want after all, RetainExceptOnCreate included."""
    definitions = stack["_template"].get("Resources", {})
    for logical_id, resource in reversed(list(stack["_resources"].items())):
        if definitions.get(logical_id, {}).get("DeletionPolicy") != "Retain":
            provisioners._delete_resource(
                resource["ResourceType"],
                resource["PhysicalResourceId"],
                resource["Properties"],
                stack["StackName"],
                logical_id,
            )
    stack["_resources"] = {}
    stack["StackStatus"] = "DELETE_COMPLETE"


def _name_in_events(parent: str, logical_id: str, child: Stack, status: str) -> None:
    parent_id = _stack(parent)["StackId"]
    stacks._add_event(parent_id, parent, logical_id, NESTED, status, physical_id=child["StackId"])


def _stack(name: str) -> Stack:
    found: Stack = cloudformation._stacks.get(name) or {}
    return found


def _children(parent: str) -> list[str]:
    return [name for name, stack in cloudformation._stacks.items() if stack.get("_parent_stack_name") == parent]


_plain: dict[str, Callable[[Request], Response]] = {}


def _create_change_set(request: Request) -> Response:
    response = _plain["CreateChangeSet"](request)
    if response[0] == HTTPStatus.OK and _value(request, "IncludeNestedStacks") == "true":
        name = _value(request, "ChangeSetName")
        _, change_set = changesets._find_change_set(name, _value(request, "StackName"))
        stack = _stack(change_set["StackName"])
        for item in change_set["Changes"]:
            change = item["ResourceChange"]
            if (change["ResourceType"], change["Action"]) == (NESTED, "Modify"):
                try:
                    _add_nested_change_set(request, change_set, change, stack)
                except ValueError as error:  # it depends on what another nested stack says only once it is updated
                    _fail(change_set, str(error))
    return response


def _add_nested_change_set(request: Request, change_set: Stack, change: Stack, stack: Stack) -> None:
    child = _stack(provisioners._nested_stack_lookup_name(change["PhysicalResourceId"]))
    template, parameters = change_set["_template"], change_set["_resolved_params"]
    properties = engine._resolve_refs(
        copy.deepcopy(template["Resources"][change["LogicalResourceId"]]["Properties"]),
        stack["_resources"],
        parameters,
        engine._evaluate_conditions(template, parameters),
        template.get("Mappings", {}),
        stack["StackName"],
        stack["StackId"],
    )
    nested = {
        "StackName": [child["StackName"]],
        "ChangeSetName": [change_set["ChangeSetName"]],
        "ChangeSetType": ["UPDATE"],
        "TemplateURL": [properties["TemplateURL"]],
        "IncludeNestedStacks": ["true"],
        **{name: value for name, value in request.items() if name.startswith("Capabilities")},
    }
    for number, (key, value) in enumerate(properties.get("Parameters", {}).items(), 1):
        nested[f"Parameters.member.{number}.ParameterKey"] = [key]
        nested[f"Parameters.member.{number}.ParameterValue"] = [str(value)]
    status, _, body = _create_change_set(nested)
    found_id, found = changesets._find_change_set(change_set["ChangeSetName"], child["StackName"])
    if status == HTTPStatus.OK and found["Status"] != "FAILED":
        change["ChangeSetId"] = found_id
    elif status != HTTPStatus.OK:
        _fail(change_set, body.decode())


def _fail(change_set: Stack, reason: str) -> None:
    change_set.update(Status="FAILED", ExecutionStatus="UNAVAILABLE", StatusReason=reason)


def _describe_change_set(request: Request) -> Response:
    status, headers, body = _plain["DescribeChangeSet"](request)
    _, change_set = changesets._find_change_set(_value(request, "ChangeSetName"), _value(request, "StackName"))
    for item in (change_set or {}).get("Changes", []):
        change = item["ResourceChange"]
        if "ChangeSetId" in change:
            name = f"<LogicalResourceId>{change['LogicalResourceId']}</LogicalResourceId>".encode()
            body = body.replace(name, name + f"<ChangeSetId>{change['ChangeSetId']}</ChangeSetId>".encode())
    return status, headers, body


def _without_nested_change_sets(request: Request) -> Response:
    _, change_set = changesets._find_change_set(_value(request, "ChangeSetName"), _value(request, "StackName"))
    nested = list(_nested_change_sets(change_set or {}))
    response = _plain[_value(request, "Action")](request)
    for change_set_id in nested:
        cloudformation._change_sets.pop(change_set_id, None)
    return response


def _nested_change_sets(change_set: Mapping[str, Any]) -> Iterator[str]:
    for item in change_set.get("Changes", []):
        if nested := item["ResourceChange"].get("ChangeSetId"):
            yield from _nested_change_sets(cloudformation._change_sets[nested])
            yield nested


def _value(request: Request, key: str) -> str:
    value: str = cloudformation._p(request, key)
    return value
