from datetime import UTC, datetime, timedelta

import pytest

from photofleet.stack.events import Event, root_cause
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
