"""Change sets that fail, or that nobody wants."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from photofleet.stack import StackError, change_sets
from photofleet.stack.change_sets import ChangeSet
from photofleet.stack.stacks import describe
from tests.photofleet.stack.conftest import Run, edit, on, refusing

FAILED = "Template error: it cannot be."
NOTHING = "The submitted information didn't contain changes. Submit different information to create a change set."


def _fail(cloudformation: Any, *, nested: bool, reason: str = FAILED) -> None:
    """Have the next change sets fail: with what is in nested stacks, or without."""
    including: list[bool] = []

    def note(params: dict[str, Any], **_about: Any) -> None:
        including.append(params["IncludeNestedStacks"])

    def fail(parsed: dict[str, Any], **_about: Any) -> None:
        if including[-1] is nested and "-WorkStack-" not in parsed.get("StackName", "-WorkStack-"):
            parsed.update(Status="FAILED", StatusReason=reason)

    on(cloudformation, "provide-client-params.cloudformation.CreateChangeSet", note)
    on(cloudformation, "after-call.cloudformation.DescribeChangeSet", fail)


def _change_sets(cloudformation: Any, name: str) -> list[str]:
    found = cloudformation.list_change_sets(StackName=name)["Summaries"]
    return [item["ChangeSetName"] for item in found if item["ExecutionStatus"] != "EXECUTE_COMPLETE"]


def test_a_new_stack_whose_change_set_fails_leaves_nothing(launch: Run, name: str, cloudformation: Any) -> None:
    _fail(cloudformation, nested=False)
    with pytest.raises(StackError, match=f"CloudFormation cannot change {name} so. {FAILED}"):
        launch(name)
    assert describe(cloudformation, name) is None


def test_ctrl_c_while_a_change_set_is_made_leaves_nothing(launch: Run, name: str, cloudformation: Any) -> None:
    interruptions: Iterator[type[BaseException]] = iter([KeyboardInterrupt])

    def interrupt(**_about: Any) -> None:
        for interruption in interruptions:
            raise interruption

    on(cloudformation, "after-call.cloudformation.DescribeChangeSet", interrupt)
    with pytest.raises(KeyboardInterrupt):
        launch(name)
    assert describe(cloudformation, name) is None


def test_a_change_set_that_may_not_be_executed_leaves_nothing(launch: Run, name: str, cloudformation: Any) -> None:
    on(cloudformation, "before-call.cloudformation.ExecuteChangeSet", refusing("ExecuteChangeSet"))
    with pytest.raises(ClientError, match="ExecuteChangeSet"):
        launch(name)
    assert describe(cloudformation, name) is None


def test_an_update_that_may_not_be_executed_leaves_the_stack_as_it_was(
    launch: Run, name: str, cloudformation: Any
) -> None:
    launch(name)
    on(cloudformation, "before-call.cloudformation.ExecuteChangeSet", refusing("ExecuteChangeSet"))
    with pytest.raises(ClientError, match="ExecuteChangeSet"):
        launch(name, {"Timeout": "40"})
    stack = describe(cloudformation, name)
    assert stack
    assert (stack["StackStatus"], stack["EnableTerminationProtection"]) == ("CREATE_COMPLETE", True)
    assert _change_sets(cloudformation, name) == []


def test_a_name_that_somebody_else_is_about_to_use_stays_theirs(launch: Run, name: str, cloudformation: Any) -> None:
    template = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n"
    cloudformation.create_change_set(
        StackName=name, ChangeSetName="theirs", ChangeSetType="CREATE", TemplateBody=template
    )
    assert launch(name, agree=lambda *_: False) is None
    stack = describe(cloudformation, name)
    assert stack
    assert stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert _change_sets(cloudformation, name) == ["theirs"]
    cloudformation.delete_stack(StackName=name)


def test_where_nested_changes_cannot_be_foreseen_the_plain_change_set_is_asked_for_and_says_so(
    launch: Run, name: str, folder: Path, cloudformation: Any
) -> None:
    edit(folder / "state.yaml", "Outputs:\n", "Outputs:\n  Stage:\n    Value: before\n")
    launch(name)
    # What WorkStack gets from StateStack is allowed only once StateStack has been updated.
    edit(folder / "state.yaml", "Value: before", "Value: after")
    edit(folder / "work.yaml", "Parameters:\n", "Parameters:\n  Stage:\n    Type: String\n    AllowedValues: [after]\n")
    given = "        Timeout: !Ref Timeout\n"
    edit(folder / "photofleet.yaml", given, given + "        Stage: !GetAtt StateStack.Outputs.Stage\n")
    seen: list[ChangeSet] = []

    def agree(_stack: str, change_set: ChangeSet) -> bool:
        seen.append(change_set)
        return True

    assert launch(name, agree=agree)
    assert "Stage" in seen[0].blind_because
    assert {(change.path, change.action, change.logical_id) for change in seen[0].changes} == {
        ("", "Modify", "StateStack"),
        ("", "Modify", "WorkStack"),
    }
    assert _change_sets(cloudformation, name) == []


def test_where_a_nested_stack_fails_as_nothing_changes_nothing_does(
    launch: Run, name: str, cloudformation: Any
) -> None:
    outputs = launch(name)
    _fail(cloudformation, nested=True, reason=f"WorkStack: {NOTHING}")
    asked: list[str] = []
    assert launch(name, agree=lambda stack, _: bool(asked.append(stack))) == outputs
    assert asked == []


def test_what_changes_elsewhere_is_not_lost_where_a_nested_stack_fails_as_nothing_changes_in_it(
    launch: Run, name: str, cloudformation: Any
) -> None:
    launch(name)
    _fail(cloudformation, nested=True, reason=f"StateStack: {NOTHING}")
    seen: list[str] = []
    launch(name, {"Timeout": "40"}, agree=lambda _, change_set: bool(seen.append(change_set.blind_because)))
    assert seen == [f"StateStack: {NOTHING}"]


class DeletedChangeSet:
    """A change set that has been deleted, or not."""

    def __init__(self, *statuses: str):
        self.statuses = iter(statuses)

    def describe_change_set(self, **_which: str) -> dict[str, str]:
        return {"Status": next(self.statuses), "StatusReason": "It is in use."}

    def delete_change_set(self, **_which: str) -> None:
        pass


def test_a_change_set_that_cannot_be_deleted_ends_the_wait_and_is_named() -> None:
    deleted = DeletedChangeSet("FAILED", "DELETE_PENDING", "DELETE_IN_PROGRESS", "DELETE_FAILED")
    with pytest.raises(StackError, match=r"The change set one cannot be deleted\. It is in use\."):
        change_sets.discard(deleted, "one", "photos", is_new=False, poll_seconds=0.0)


def test_a_change_set_that_is_still_being_made_is_deleted_afterwards_and_waited_for() -> None:
    deleted = DeletedChangeSet("CREATE_IN_PROGRESS", "CREATE_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_COMPLETE")
    change_sets.discard(deleted, "one", "photos", is_new=False, poll_seconds=0.0)
    assert list(deleted.statuses) == []
