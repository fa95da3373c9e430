"""Following what CloudFormation does to a stack and to those nested in it, and finding why it failed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from photofleet.stack.stacks import NESTED, describe, family

# What happens to the others once one has failed, and what a parent says of a failed child.
_CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled", "The following resource(s) failed")


@dataclass(frozen=True)
class Event:
    """One thing that happened: `path` names the nested stack, and is empty for the root."""

    at: datetime
    path: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str
    is_of_the_stack_itself: bool

    @property
    def resource(self) -> str:
        """The resource with the nested stack that it is in."""
        return "/".join(part for part in (self.path, self.logical_id) if part) or "the stack itself"

    @property
    def is_failure(self) -> bool:
        """Whether something could not be done."""
        return self.status.endswith("_FAILED")

    @property
    def is_the_end(self) -> bool:
        """Whether it says that the operation on the whole family is over."""
        return self.is_of_the_stack_itself and not self.path and not self.status.endswith("_IN_PROGRESS")

    def __str__(self) -> str:
        line = f"{self.at.astimezone():%H:%M:%S}  {self.status:<20} {self.resource}  {self.type}"
        return f"{line}\n          {self.reason}" if self.is_failure and self.reason else line


class Follower:
    """The events of a stack's family that happen after this was made."""

    def __init__(self, cloudformation: Any, stack_id: str):
        """Remember where the events of the stack, and of those nested in it now, have come to."""
        self._cloudformation = cloudformation
        self._stack_id = stack_id
        self._paths = {nested: path for path, nested in family(cloudformation, stack_id)}
        self._newest = {stack: self._newest_of(stack) for stack in self._paths}
        self._active = {stack_id}
        self.status = ""
        """What the stack's newest event, of those that were followed, says of the stack itself."""

    def follow(self, poll_seconds: float) -> Iterator[Event]:
        """Yield events as they happen, until the operation on the stack has ended.

        What was asked for begins some time afterwards, and what DescribeStacks says comes later still. So the end is
        told by an event, and waited for until DescribeStacks knows of it: it has the outputs.
        """
        while True:
            stack = describe(self._cloudformation, self._stack_id)
            is_quiet = stack is None or not stack["StackStatus"].endswith("_IN_PROGRESS")
            for event in self._new_events():
                if event.is_of_the_stack_itself and not event.path:
                    self.status = event.status
                # What a nested stack says of itself, its parent says of it, too.
                if not (event.is_of_the_stack_itself and event.path):
                    yield event
            if is_quiet and self.status and not self.status.endswith("_IN_PROGRESS"):
                return
            time.sleep(poll_seconds)

    def _new_events(self) -> list[Event]:
        events: list[Event] = []
        # The stack itself is asked first: what it says of its end then comes after all that happened before that.
        waiting = [*sorted(self._active - {self._stack_id}), self._stack_id]
        while waiting:
            stack = waiting.pop()
            for event in self._new_events_of(stack):
                events.append(event)
                # Nested stacks are asked about only while something happens to them: a family makes for many requests.
                if event.is_of_the_stack_itself:
                    if stack != self._stack_id and not event.status.endswith("_IN_PROGRESS"):
                        self._active.discard(stack)
                elif event.type == NESTED and event.physical_id:
                    self._paths.setdefault(event.physical_id, event.resource)
                    if event.status.endswith("_IN_PROGRESS"):
                        self._active.add(event.physical_id)
                    waiting.append(event.physical_id)
        return sorted(events, key=lambda event: (event.at, event.is_the_end))

    def _new_events_of(self, stack: str) -> list[Event]:
        newest, path = self._newest.get(stack), self._paths[stack]
        raw: list[Mapping[str, Any]] = []
        for page in self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
            for item in page["StackEvents"]:
                if item["EventId"] == newest:
                    break
                raw.append(item)
            else:
                continue
            break
        if raw:
            self._newest[stack] = raw[0]["EventId"]
        return [_event(item, path) for item in reversed(raw)]

    def _newest_of(self, stack: str) -> str | None:
        events = self._cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        return events[0]["EventId"] if events else None


def _event(item: Mapping[str, Any], path: str) -> Event:
    physical_id = item.get("PhysicalResourceId", "")
    itself = physical_id == item["StackId"]
    return Event(
        item["Timestamp"],
        path,
        "" if itself else item["LogicalResourceId"],
        physical_id,
        item["ResourceType"],
        item["ResourceStatus"],
        item.get("ResourceStatusReason", ""),
        itself,
    )


def last_operation(cloudformation: Any, stack_id: str) -> list[Event]:
    """Return the events of what was last done to a stack and to those nested in it, oldest first."""
    root: list[Event] = []
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        for event in (_event(item, "") for item in page["StackEvents"]):
            root.insert(0, event)
            if event.is_of_the_stack_itself and _is_beginning(event):
                return sorted([*root, *_nested(cloudformation, root, event.at)], key=lambda event: event.at)
    return root


def _is_beginning(event: Event) -> bool:
    return event.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")


def _nested(cloudformation: Any, events: Sequence[Event], since: datetime) -> Iterator[Event]:
    nested = {event.physical_id: event.resource for event in events if event.type == NESTED and event.physical_id}
    for stack, path in nested.items():
        if any(event.physical_id == stack and event.is_of_the_stack_itself for event in events):
            continue
        found: list[Event] = []
        for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
            found += [_event(item, path) for item in page["StackEvents"] if item["Timestamp"] >= since]
        yield from found
        yield from _nested(cloudformation, found, since)


def root_cause(events: Sequence[Event]) -> Event | None:
    """Return the failure that the others follow from: the first, and of a nested stack's, the one inside it."""
    failures = [event for event in events if event.is_failure and not event.reason.startswith(_CONSEQUENCES)]
    inside = [event for event in failures if event.type != NESTED]
    return next(iter(inside or failures), None)
