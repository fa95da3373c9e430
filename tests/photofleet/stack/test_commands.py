"""What operators type and see."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from photofleet.local.aws import EmbeddedAWS
from photofleet.stack import commands
from photofleet.stack.commands import stack
from tests.photofleet.stack.conftest import TOO_LONG, Run, on

Stack = Callable[..., Result]


@pytest.fixture
def run(aws: EmbeddedAWS, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A function that runs `photofleet stack` as the account's root user."""
    for variable, value in aws.client_environment().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(commands, "POLL_SECONDS", 0.05)

    def invoke(*words: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(stack, words, input=answer)

    return invoke


def test_a_launch_shows_changes_asks_shows_what_happens_and_prints_outputs(run: Stack, name: str) -> None:
    result = run("launch", name, "-p", "Environment=test", answer="y\n")
    assert result.exit_code == 0, result.output
    before, after = result.output.split(f"Change {name} so? [y/N]: y\n")
    assert "  + add           StateStack  AWS::CloudFormation::Stack" in before
    assert "CREATE_COMPLETE      StateStack/Photos  AWS::SQS::Queue" in after
    assert "\nWork    http://localhost" in after


def test_a_launch_that_is_declined_changes_nothing_and_exits_with_1(run: Stack, name: str) -> None:
    result = run("launch", name, "-p", "Environment=test", answer="n\n")
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "Nothing was changed.")
    assert run("status", name).exit_code == 1


def test_a_launch_that_nobody_can_be_asked_about_changes_nothing(run: Stack, name: str) -> None:
    assert run("launch", name, "-p", "Environment=test", answer="").exit_code == 1
    assert run("status", name).exit_code == 1


def test_parameters_come_from_a_file_and_the_command_line_goes_before_it(
    run: Stack, name: str, tmp_path: Path, cloudformation: Any
) -> None:
    file = tmp_path / "test.json"
    file.write_text('{"Parameters": {"Environment": "test", "Timeout": "40"}}', encoding="utf-8")
    assert run("launch", name, "--parameters", str(file), "-p", "Timeout=50", "--yes").exit_code == 0
    (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert {item["ParameterKey"]: item["ParameterValue"] for item in found["Parameters"]} == {
        "Environment": "test",
        "Timeout": "50",
    }


def test_a_failed_launch_ends_with_its_root_cause_and_exits_with_1(run: Stack, name: str) -> None:
    result = run("launch", name, "-p", "Environment=test", "-p", f"Timeout={TOO_LONG}", "--yes")
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith(f"Error: The stack {name} failed and is ROLLBACK_COMPLETE now. ")
    assert "WorkStack/Work: Invalid value for the parameter VisibilityTimeout" in result.output.splitlines()[-1]
    found = json.loads(run("status", name, "--json").output)
    assert found["status"] == "ROLLBACK_COMPLETE"
    assert found["last_failure"]["resource"] == "WorkStack/Work"
    assert "VisibilityTimeout" in found["last_failure"]["reason"]
    assert "Last failure" in click.unstyle(run("status", name).output)


def test_status_shows_each_part_protection_drift_and_outputs(run: Stack, launch: Run, name: str) -> None:
    outputs = launch(name)
    found = json.loads(run("status", name, "--json").output)
    assert found == {
        "name": name,
        "status": "CREATE_COMPLETE",
        "termination_protection": True,
        "stack_policy": True,
        "nested": {
            part: {"status": "CREATE_COMPLETE", "drift": "NOT_CHECKED", "drift_checked": None}
            for part in ("StateStack", "WorkStack")
        },
        "outputs": outputs,
        "last_failure": None,
        "drift": "NOT_CHECKED",
        "drift_checked": None,
    }
    shown = click.unstyle(run("status", name).output)
    for line in ("CREATE_COMPLETE", "Termination protection: on", "Stack policy: set", "Drift: NOT_CHECKED"):
        assert line in shown


@pytest.mark.parametrize("command", ["status", "delete"])
def test_a_stack_that_is_not_there_is_named(run: Stack, command: str) -> None:
    result = run(command, "nonesuch")
    assert (result.exit_code, result.output) == (
        1,
        "Error: There is no stack nonesuch in this account and region.\n",
    )


def test_a_stack_is_deleted_once_its_name_is_typed_and_what_stays_is_listed_first(
    run: Stack, launch: Run, name: str
) -> None:
    outputs = launch(name)
    assert outputs
    result = run("delete", name, answer=f"{name}\n")
    assert result.exit_code == 0, result.output
    before, after = result.output.split("Type the name of the stack to delete it: ")
    assert "3 resources of" in before
    assert f"{outputs['Photos']}  AWS::SQS::Queue (StateStack/Photos)" in before
    assert after.splitlines()[-1] == f"{name} was deleted."
    assert run("status", name).exit_code == 1


@pytest.mark.parametrize("answer", ["y\n", "yes\n", "\n", ""])
def test_a_stack_whose_name_is_not_typed_stays(run: Stack, launch: Run, name: str, answer: str) -> None:
    launch(name)
    assert run("delete", name, answer=answer).exit_code == 1
    assert run("status", name).exit_code == 0


def test_no_option_deletes_without_asking() -> None:
    assert [parameter.name for parameter in commands.delete.params] == ["name"]


def test_a_protected_production_stack_is_not_deleted_even_if_its_name_is_typed(
    run: Stack, launch: Run, name: str
) -> None:
    launch(name, {"Environment": "production"})
    result = run("delete", name, answer=f"{name}\n")
    assert result.exit_code == 1
    assert "Error: " + name + " is a production stack, and protected." in result.output
    assert run("status", name).exit_code == 0


def test_ctrl_c_says_that_the_stack_goes_on_and_how_to_look(
    run: Stack, name: str, monkeypatch: pytest.MonkeyPatch, cloudformation: Any
) -> None:
    def interrupt(_event: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "_show", interrupt)
    result = run("launch", name, "-p", "Environment=test", "--yes")
    assert result.exit_code == 130
    assert f"What CloudFormation has begun goes on. `photofleet stack status {name}` shows how it goes" in result.output
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})
    assert run("status", name).output.count("Termination protection: on") == 1


def test_ctrl_c_while_cloudformation_is_told_to_begin_says_that_it_goes_on(
    launch: Run, name: str, cloudformation: Any
) -> None:
    def interrupt(**_about: Any) -> None:
        raise KeyboardInterrupt

    on(cloudformation, "after-call.cloudformation.ExecuteChangeSet", interrupt)
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        launch(name, tell=told.append)
    assert told[-1].startswith("What CloudFormation has begun goes on.")
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})


@pytest.mark.parametrize("command", ["status", "delete"])
def test_a_stack_is_known_by_its_name_only(run: Stack, command: str) -> None:
    result = run(command, "arn:aws:cloudformation:us-east-1:000000000000:stack/photos/1")
    assert result.exit_code == 1
    assert "cannot be a stack's name" in result.output


def test_without_credentials_it_is_said_what_is_missing(run: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = run("status", "photofleet")
    assert (result.exit_code, result.output) == (1, "Error: Unable to locate credentials\n")


@pytest.mark.parametrize("command", sorted(stack.commands))
def test_every_argument_and_option_is_explained(command: str) -> None:
    assert stack.commands[command].help
    for parameter in stack.commands[command].params:
        assert getattr(parameter, "help", None), parameter.name
