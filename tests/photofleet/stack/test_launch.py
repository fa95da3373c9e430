from pathlib import Path
from time import sleep
from typing import Any

import pytest

from photofleet.stack import StackError
from photofleet.stack.change_sets import ChangeSet
from photofleet.stack.events import Event
from photofleet.stack.guard_rails import is_protected
from photofleet.stack.stacks import describe, family
from tests.photofleet.stack.conftest import TOO_LONG, Run, edit, on


def _changes(change_set: ChangeSet) -> set[tuple[str, str, str]]:
    return {(change.path, change.action, change.logical_id) for change in change_set.changes}


def _status(cloudformation: Any, name: str) -> str:
    stack = describe(cloudformation, name)
    return stack["StackStatus"] if stack else "none"


def test_a_new_stack_is_made_of_its_nested_templates_and_protected_whole(
    launch: Run, name: str, cloudformation: Any
) -> None:
    outputs = launch(name)
    assert outputs is not None
    assert outputs.keys() == {"Photos", "Work"}
    stack = describe(cloudformation, name)
    assert stack
    assert stack["EnableTerminationProtection"]
    assert is_protected(cloudformation, stack)
    policies = [
        cloudformation.get_stack_policy(StackName=nested)["StackPolicyBody"]
        for _, nested in family(cloudformation, name)
    ]
    assert len(policies) == 3
    assert len(set(policies)) == 1


def test_launching_again_changes_nothing_and_asks_nothing(launch: Run, name: str, cloudformation: Any) -> None:
    outputs = launch(name)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    asked: list[str] = []
    assert launch(name, {}, agree=lambda stack, _: bool(asked.append(stack))) == outputs
    assert asked == []
    assert cloudformation.describe_stack_events(StackName=name)["StackEvents"] == events
    assert cloudformation.list_change_sets(StackName=name)["Summaries"][1:] == []


def test_what_a_launch_by_other_means_left_unprotected_is_protected_by_the_next(
    launch: Run, name: str, cloudformation: Any
) -> None:
    launch(name)
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    launch(name)
    stack = describe(cloudformation, name)
    assert stack
    assert stack["EnableTerminationProtection"]


def test_the_changes_inside_nested_stacks_are_shown_before_they_are_made(
    launch: Run, name: str, cloudformation: Any
) -> None:
    launch(name)
    seen: list[ChangeSet] = []

    def refuse(_stack: str, change_set: ChangeSet) -> bool:
        seen.append(change_set)
        return False

    assert launch(name, {"Timeout": "40"}, agree=refuse) is None
    assert ("WorkStack", "Modify", "Work") in _changes(seen[0])
    assert not any(path == "StateStack" for path, _, _ in _changes(seen[0]))
    assert _status(cloudformation, name) == "CREATE_COMPLETE"


def test_an_update_keeps_what_is_not_given_and_every_resource_that_stays(
    launch: Run, name: str, clients: Any, folder: Path
) -> None:
    outputs = launch(name, {"Environment": "test", "Timeout": "40"})
    assert outputs
    edit(folder / "work.yaml", "Description: What comes and goes.", "Description: What goes and comes.")
    edit(folder / "state.yaml", "  Topic:\n", "  Second:\n    Type: AWS::SNS::Topic\n  Topic:\n")
    assert launch(name, {}) == outputs
    timeout = clients("sqs").get_queue_attributes(QueueUrl=outputs["Work"], AttributeNames=["VisibilityTimeout"])
    assert timeout["Attributes"]["VisibilityTimeout"] == "40"


def test_what_happens_is_told_as_it_happens_with_the_nested_stack_it_happens_in(launch: Run, name: str) -> None:
    events: list[Event] = []
    launch(name, follow=events.append)
    told = [(event.resource, event.status) for event in events]
    assert told[0] == ("the stack itself", "CREATE_IN_PROGRESS")
    assert told[-1] == ("the stack itself", "CREATE_COMPLETE")
    assert told.count(("WorkStack/Work", "CREATE_COMPLETE")) == 1
    assert told.count(("WorkStack", "CREATE_COMPLETE")) == 1


def test_a_nested_stack_that_lost_its_policy_gets_it_back_at_the_next_launch(
    launch: Run, name: str, cloudformation: Any
) -> None:
    launch(name)
    _let_everything_happen(cloudformation, name)
    launch(name)
    assert is_protected(cloudformation, describe(cloudformation, name) or {})


def test_an_existing_stack_is_protected_before_it_is_changed(launch: Run, name: str, cloudformation: Any) -> None:
    launch(name)
    _let_everything_happen(cloudformation, name)
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    protected: list[bool] = []

    def look(**_about: Any) -> None:
        protected.append(is_protected(cloudformation, describe(cloudformation, name) or {}))

    on(cloudformation, "before-call.cloudformation.ExecuteChangeSet", look)
    launch(name, {"Timeout": "40"})
    assert protected == [True]


def test_a_nested_stack_that_an_update_adds_is_protected_too(
    launch: Run, name: str, folder: Path, cloudformation: Any
) -> None:
    launch(name)
    another = "Resources:\n  OtherStack:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n"
    edit(folder / "photofleet.yaml", "Resources:\n", another + "      TemplateURL: ./state.yaml\n")
    launch(name)
    assert len(list(family(cloudformation, name))) == 4
    assert is_protected(cloudformation, describe(cloudformation, name) or {})


def test_an_update_may_hand_one_nested_stack_what_another_only_then_says(launch: Run, name: str, folder: Path) -> None:
    launch(name)
    state, work, root = (folder / f"{part}.yaml" for part in ("state", "work", "photofleet"))
    state.write_text(f"{state.read_text()}  Topic:\n    Value: !Ref Topic\n", encoding="utf-8")
    work.write_text(
        work.read_text().replace("Parameters:\n", "Parameters:\n  Topic:\n    Type: String\n"), encoding="utf-8"
    )
    handed_on = "      Parameters:\n        Topic: !GetAtt StateStack.Outputs.Topic\n"
    root.write_text(root.read_text().replace("      Parameters:\n", handed_on), encoding="utf-8")

    assert launch(name) is not None


def test_a_new_stack_cannot_be_deleted_from_its_first_moment(launch: Run, name: str, cloudformation: Any) -> None:
    protected: list[bool] = []

    def look(**_about: Any) -> None:
        stack = describe(cloudformation, name)
        protected.append(bool(stack and stack["EnableTerminationProtection"]))

    on(cloudformation, "before-call.cloudformation.ExecuteChangeSet", look)
    launch(name)
    assert protected == [True]


def _let_everything_happen(cloudformation: Any, name: str) -> None:
    """Take the stack policy of one nested stack away."""
    policy = '{"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}'
    nested = dict(family(cloudformation, name))["StateStack"]
    cloudformation.set_stack_policy(StackName=nested, StackPolicyBody=policy)
    assert not is_protected(cloudformation, describe(cloudformation, name) or {})


def test_a_new_stack_that_is_declined_leaves_nothing(launch: Run, name: str, cloudformation: Any) -> None:
    assert launch(name, agree=lambda *_: False) is None
    assert _status(cloudformation, name) == "none"


def test_a_failed_creation_says_which_resource_failed_why_and_can_be_tried_again(
    launch: Run, name: str, clients: Any, cloudformation: Any
) -> None:
    with pytest.raises(StackError, match=r"is ROLLBACK_COMPLETE now\. WorkStack/Work: .*VisibilityTimeout"):
        launch(name, {"Environment": "test", "Timeout": TOO_LONG})
    assert clients("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls", []) == []
    assert launch(name)
    assert _status(cloudformation, name) == "CREATE_COMPLETE"


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_FAILED"])
def test_what_is_left_of_a_creation_without_rollback_is_kept(
    launch: Run, name: str, clients: Any, cloudformation: Any, status: str
) -> None:
    body = f"""\
Description: Photofleet, made with the console's option to preserve what could be made.
Resources:
  Photos:
    Type: AWS::SQS::Queue
  Work:
    Type: AWS::SQS::Queue
    DependsOn: Photos
    Properties:
      VisibilityTimeout: {TOO_LONG}
"""
    cloudformation.create_stack(StackName=name, TemplateBody=body, DisableRollback=True)
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=True)
    while _status(cloudformation, name) == "CREATE_IN_PROGRESS":
        sleep(0.05)
    assert _status(cloudformation, name) == "CREATE_FAILED"

    def say(parsed: dict[str, Any], **_about: Any) -> None:
        parsed["Stacks"][0]["StackStatus"] = status

    on(cloudformation, "after-call.cloudformation.DescribeStacks", say)
    with pytest.raises(StackError, match=rf"kept \({status}\)\. `photofleet stack status {name}` .* delete {name}`"):
        launch(name)
    stack = describe(cloudformation, name)
    assert stack
    assert stack["EnableTerminationProtection"]
    assert len(clients("sqs").list_queues(QueueNamePrefix=name)["QueueUrls"]) == 1


def test_a_failed_update_says_what_failed_and_leaves_all_as_it_was(launch: Run, name: str, clients: Any) -> None:
    outputs = launch(name)
    assert outputs
    with pytest.raises(StackError, match=r"is UPDATE_ROLLBACK_COMPLETE now\. WorkStack/Work: .*VisibilityTimeout"):
        launch(name, {"Timeout": TOO_LONG})
    found = clients("sqs").get_queue_attributes(QueueUrl=outputs["Work"], AttributeNames=["VisibilityTimeout"])
    assert found["Attributes"]["VisibilityTimeout"] == "30"
    assert launch(name, {"Timeout": "40"}) == outputs


QUEUE = """\
  Photos:
    Type: AWS::SQS::Queue
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
"""


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("state.yaml", QUEUE, "", "StateStack/Photos would be removed"),
        (
            "state.yaml",
            QUEUE,
            QUEUE + "    Properties:\n      QueueName: another\n",
            "StateStack/Photos would be replaced",
        ),
        ("photofleet.yaml", "StateStack", "OtherStack", "StateStack/Photos would be removed"),
    ],
)
def test_what_holds_photos_or_jobs_is_never_replaced_or_removed(
    launch: Run, name: str, folder: Path, cloudformation: Any, file: str, old: str, new: str, words: str
) -> None:
    launch(name)
    edit(folder / file, old, new)
    if file == "state.yaml":
        edit(folder / file, "!Ref Photos", "!Ref Topic")
    with pytest.raises(StackError, match=words):
        launch(name)
    assert _status(cloudformation, name) == "CREATE_COMPLETE"
    assert cloudformation.list_change_sets(StackName=name)["Summaries"][1:] == []


def test_a_production_stack_stays_one(launch: Run, name: str) -> None:
    launch(name, {"Environment": "production"})
    with pytest.raises(StackError, match="is a production stack and stays one"):
        launch(name, {"Environment": "test"})
    assert launch(name, {})


@pytest.mark.parametrize("name", ["", "Photos", "1photo", "photo_fleet", "a" * 25, "photos;ls"])
def test_a_name_that_no_stack_can_have_is_refused(launch: Run, name: str) -> None:
    with pytest.raises(StackError, match="cannot be a stack's name"):
        launch(name)


def test_the_stack_of_another_service_is_left_alone(launch: Run, cloudformation: Any) -> None:
    body = "Description: Somebody else's.\nResources:\n  Topic:\n    Type: AWS::SNS::Topic\n"
    cloudformation.create_stack(StackName="stranger", TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="stranger", WaiterConfig={"Delay": 0.1})
    with pytest.raises(StackError, match="is something else than Photofleet's"):
        launch("stranger")
    cloudformation.delete_stack(StackName="stranger")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "Environment"),
        ({"Environment": "staging"}, "Environment"),
        ({"Environment": "test", "Timeot": "30"}, r"no parameter Timeot\. Its parameters are Environment, Timeout\."),
    ],
)
def test_parameters_that_are_missing_wrong_or_misspelt_are_named(
    launch: Run, name: str, cloudformation: Any, parameters: dict[str, str], words: str
) -> None:
    with pytest.raises(StackError, match=words):
        launch(name, parameters)
    assert _status(cloudformation, name) == "none"
