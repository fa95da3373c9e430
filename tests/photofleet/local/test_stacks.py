"""The real stack on the embedded AWS, as the local service launches it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.postgres import EmbeddedPostgres
from photofleet.stack import StackError
from photofleet.stack.packaging import templates
from photofleet.stack.stacks import describe, family


@pytest.fixture
def root(aws: EmbeddedAWS, cloud: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of the root user of an account in which the stack was launched."""
    return aws.client_environment()


def test_launching_again_changes_nothing(root: Mapping[str, str], postgres: EmbeddedPostgres) -> None:
    cloudformation = stacks.client(root)
    families = list(family(cloudformation, stacks.NAME))
    before = [cloudformation.describe_stack_events(StackName=stack)["StackEvents"] for _, stack in families]
    assert stacks.launch(root, postgres.url) == stacks.launched(root)
    assert [cloudformation.describe_stack_events(StackName=stack)["StackEvents"] for _, stack in families] == before


def test_every_part_of_the_stack_is_there(root: Mapping[str, str]) -> None:
    cloudformation = stacks.client(root)
    found = {path: describe(cloudformation, stack) for path, stack in family(cloudformation, stacks.NAME)}
    parts = ("Network", "Storage", "Database", "Messaging", "Logs", "Web", "Resize", "Label", "Monitoring")
    assert found.keys() == {"", *(f"{part}Stack" for part in parts)}
    assert {stack["StackStatus"] for stack in found.values() if stack} <= {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


def test_the_settings_that_instances_read_are_those_of_the_stack(root: Mapping[str, str]) -> None:
    outputs, settings = stacks.launched(root), stacks.settings(root)
    assert settings["PHOTOFLEET_TOPIC_ARN"] == outputs["TopicArn"]
    assert settings["PHOTOFLEET_ORIGINALS_BUCKET"] == outputs["OriginalsBucket"]
    assert settings["PHOTOFLEET_LABEL_DEAD_LETTER_URL"] == outputs["LabelDeadLetterUrl"]


@pytest.mark.parametrize("tier", ["Web", "Resize", "Label"])
def test_a_tier_is_told_the_settings_and_how_to_sign_in_to_the_database(root: Mapping[str, str], tier: str) -> None:
    cloudformation = stacks.client(root)
    stack = describe(cloudformation, dict(family(cloudformation, stacks.NAME))[f"{tier}Stack"])
    assert stack
    (told,) = (item["ParameterValue"] for item in stack["Parameters"] if item["ParameterKey"] == "Settings")
    lines = [tuple(line.split("=", 1)) for line in told.splitlines()]
    assert dict(lines) == stacks.settings(root)
    assert len(lines) == len(dict(lines))


def test_outputs_that_nested_stacks_have_in_common_are_left_out(root: Mapping[str, str]) -> None:
    outputs = stacks.launched(root)
    assert "SpotGroupName" not in outputs
    assert outputs["WebRoleName"] != outputs["ResizeRoleName"]


def test_a_database_that_has_moved_changes_its_secret_and_not_the_stack(
    root: Mapping[str, str], postgres: EmbeddedPostgres
) -> None:
    before = stacks.launched(root)
    assert stacks.launch(root, postgres.url.replace(str(postgres.port), "5999")) == before
    arn = stacks.settings(root)["PHOTOFLEET_DATABASE_SECRET"]
    secret = stacks.client(root, "secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    assert '"port": 5999' in secret
    stacks.launch(root, postgres.url)


def test_a_template_that_is_none_is_refused_in_words(
    root: Mapping[str, str], postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photofleet.yaml").write_text("nonsense", encoding="utf-8")
    (tmp_path / "parameters").mkdir()
    local = (templates() / "parameters" / "local.json").read_text(encoding="utf-8")
    (tmp_path / "parameters" / "local.json").write_text(local, encoding="utf-8")
    monkeypatch.setattr("photofleet.stack.launch.templates", lambda: tmp_path)
    with pytest.raises(StackError, match=r"The stack photofleet was refused\. .+"):
        stacks.launch(root, postgres.url)


def test_before_the_first_launch_there_are_no_outputs(aws: EmbeddedAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "NAME", "nonesuch")
    with pytest.raises(StackError, match="There is no stack nonesuch"):
        stacks.launched(aws.client_environment())
