from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest

from photofleet.stack.events import Event, Follower, root_cause
from photofleet.stack.stacks import NESTED

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EMBEDDED = "Embedded stack arn:aws:cloudformation:…:stack/x was not successfully created: …"


def event(resource: str, status: str, reason: str = "", kind: str = "AWS::SQS::Queue", second: int = 0) -> Event:
    path, _, logical_id = resource.rpartition("/")
    at = NOON + timedelta(seconds=second)
    return Event(at, path, logical_id, "", kind, status, reason, is_of_the_stack_itself=False)


FAILED_INSIDE = event("WebStack/Group", "CREATE_FAILED", "No signal.", second=1)


@pytest.mark.parametrize(
    ("events", "cause"),
    [
        ([], None),
        ([event("A", "CREATE_COMPLETE")], None),
        ([FAILED_INSIDE, event("WebStack", "CREATE_FAILED", EMBEDDED, NESTED, 2)], FAILED_INSIDE),
        ([event("WebStack", "CREATE_FAILED", EMBEDDED, NESTED), FAILED_INSIDE], FAILED_INSIDE),
        ([event("WebStack/Role", "CREATE_FAILED", "Resource creation cancelled"), FAILED_INSIDE], FAILED_INSIDE),
        ([FAILED_INSIDE, event("WebStack/Other", "CREATE_FAILED", "Too late.", second=2)], FAILED_INSIDE),
    ],
)
def test_the_root_cause_is_the_first_failure_of_the_deepest_stack(events: list[Event], cause: Event | None) -> None:
    assert root_cause(events) == cause


def test_where_nothing_failed_inside_a_nested_stack_its_own_failure_is_the_cause() -> None:
    failed = event("WebStack", "CREATE_FAILED", "Template format error.", NESTED)
    assert root_cause([failed]) == failed


def test_an_event_is_one_line_and_a_failure_is_told_in_full() -> None:
    assert "\n" not in str(event("WebStack/Group", "CREATE_IN_PROGRESS", "Resource creation Initiated"))
    assert "WebStack/Group" in str(FAILED_INSIDE)
    assert str(FAILED_INSIDE).endswith("\n          No signal.")


class LaggingCloudFormation:
    """Says of a stack what it is told to, one thing for each time that it is asked; there are no nested stacks."""

    def __init__(self, *told: tuple[str, list[str]]):
        self.told = iter(told)
        self.events = ["UPDATE_COMPLETE"]

    def describe_stacks(self, **_which: str) -> dict[str, Any]:
        status, self.events = next(self.told)
        return {"Stacks": [{"StackStatus": status}]}

    def describe_stack_events(self, **_which: str) -> dict[str, Any]:
        return {
            "StackEvents": [
                {
                    "EventId": str(number),
                    "StackId": "photos",
                    "PhysicalResourceId": "photos",
                    "LogicalResourceId": "photos",
                    "ResourceType": NESTED,
                    "ResourceStatus": status,
                    "Timestamp": NOON + timedelta(seconds=number),
                }
                for number, status in reversed(list(enumerate(self.events)))
            ]
        }

    def get_paginator(self, operation: str) -> Self:
        self.pages = self.describe_stack_events() if operation == "describe_stack_events" else {}
        return self

    def paginate(self, **_which: str) -> Iterator[dict[str, Any]]:
        yield {"StackResourceSummaries": [], **self.pages}


def test_the_end_is_an_event_that_is_new_and_not_a_status_that_lags() -> None:
    before, begun = ["UPDATE_COMPLETE"], ["UPDATE_COMPLETE", "UPDATE_IN_PROGRESS"]
    ended = [*begun, "UPDATE_ROLLBACK_COMPLETE"]
    lagging = LaggingCloudFormation(
        ("UPDATE_COMPLETE", before),
        ("UPDATE_COMPLETE", begun),
        ("UPDATE_IN_PROGRESS", begun),
        ("UPDATE_IN_PROGRESS", ended),
        ("UPDATE_ROLLBACK_COMPLETE", ended),
    )
    follower = Follower(lagging, "photos")
    told = [event.status for event in follower.follow(0.0)]
    assert told == ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]
    assert follower.status == "UPDATE_ROLLBACK_COMPLETE"
    assert list(lagging.told) == []
