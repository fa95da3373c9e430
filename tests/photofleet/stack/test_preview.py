import click
import pytest

from photofleet.stack.change_sets import Change, ChangeSet
from photofleet.stack.preview import describe
from photofleet.stack.stacks import NESTED


def change(
    action: str,
    *,
    path: str = "",
    logical_id: str = "Queue",
    kind: str = "AWS::SQS::Queue",
    replacement: str = "",
    reasons: tuple[str, ...] = (),
    nested_changes: bool = False,
) -> Change:
    return Change(path, action, logical_id, kind, "", replacement, reasons, nested_changes)


def lines(*changes: Change, blind_because: str = "") -> list[str]:
    found = describe("photos", ChangeSet("id", "stack", changes, blind_because))
    return [click.unstyle(line) for line in found]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (change("Add"), "  + add           Queue  AWS::SQS::Queue"),
        (change("Remove"), "  - REMOVE        Queue  AWS::SQS::Queue"),
        (
            change("Modify", replacement="False", reasons=("Tags", "VisibilityTimeout")),
            "  ~ modify        Queue  AWS::SQS::Queue (Tags, VisibilityTimeout)",
        ),
        (
            change("Modify", replacement="True", reasons=("QueueName",)),
            "  ! REPLACE       Queue  AWS::SQS::Queue (QueueName)",
        ),
        (change("Modify", replacement="Conditional"), "  ~ MAYBE REPLACE Queue  AWS::SQS::Queue"),
        (change("Import"), "  + import        Queue  AWS::SQS::Queue"),
        (change("Dynamic"), "  ? Dynamic       Queue  AWS::SQS::Queue"),
    ],
)
def test_each_change_is_a_line_that_says_what_becomes_of_which_resource(changed: Change, line: str) -> None:
    assert lines(changed) == ["photos", line]


def test_changes_are_shown_below_the_nested_stack_that_they_are_in() -> None:
    nested = change("Modify", logical_id="WorkStack", kind=NESTED, nested_changes=True)
    inside = change("Add", path="WorkStack")
    assert lines(nested, inside, change("Add", logical_id="Topic")) == [
        "photos",
        "  + add           Topic  AWS::SQS::Queue",
        "photos/WorkStack",
        "  + add           Queue  AWS::SQS::Queue",
    ]


def test_where_cloudformation_cannot_look_inside_nested_stacks_it_is_said() -> None:
    nested = change("Modify", logical_id="WorkStack", kind=NESTED)
    shown = lines(nested, blind_because="WorkStack: Template error.")
    assert shown[0] == (
        "CloudFormation cannot foresee what changes inside the nested stacks. WorkStack: Template error."
    )
    assert shown[2].endswith("; what it changes inside is not shown")
