"""What the pipeline does in which order and with which rights, and its programs, which run here."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ami.release import archive
from photofleet.fleet.template import load_template, resolve
from photofleet.local.aws import EmbeddedAWS
from tests.cloudformation.conftest import Launch, RootClient
from tests.sources import working_tree

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "cloudformation"
PARAMETERS = {
    "ConnectionArn": "arn:aws:codeconnections:eu-west-1:123456789012:connection/00000000-0000-4000-8000-000000000000",
    "Repository": "example/photofleet",
    "NoticeEmail": "nobody@example.com",
}
RESOURCES = resolve(load_template(FOLDER / "pipeline.yaml"), PARAMETERS)["Resources"]
STAGES = {stage["Name"]: stage for stage in RESOURCES["Pipeline"]["Properties"]["Stages"]}
LAUNCHES = ("Test", "Production")
BUILD = yaml.safe_load((FOLDER / "buildspecs" / "build.yaml").read_text(encoding="utf-8"))


def actions(stage: str) -> dict[str, Any]:
    """The actions of a stage by their names, in the order in which they run."""
    return {
        action["Name"]: action for action in sorted(STAGES[stage]["Actions"], key=lambda one: one.get("RunOrder", 1))
    }


def statements(role: str) -> Iterator[dict[str, Any]]:
    """All statements of a role's own policies."""
    properties = RESOURCES[role]["Properties"]
    for policy in properties.get("Policies", []):
        yield from policy["PolicyDocument"]["Statement"]
    for name in properties.get("ManagedPolicyArns", []):
        if name in RESOURCES:
            yield from RESOURCES[name]["Properties"]["PolicyDocument"]["Statement"]


def allowed(role: str, action: str) -> list[str]:
    """The resources on which a role may do something."""
    found: list[str] = []
    for statement in statements(role):
        patterns, resources = (
            value if isinstance(value, list) else [value] for value in (statement["Action"], statement["Resource"])
        )
        if statement["Effect"] == "Allow" and any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns):
            found += resources
    return found


def test_a_change_is_tried_and_approved_before_it_reaches_production() -> None:
    assert list(STAGES) == ["Source", "Build", "Test", "Approve", "Production"]
    for stage in LAUNCHES:
        assert list(actions(stage)) == ["Prepare", "Launch", "Protect", "Smoke"]
        assert STAGES[stage]["OnFailure"] == {"Result": "ROLLBACK"}
    (approval,) = actions("Approve").values()
    assert approval["ActionTypeId"]["Category"] == "Approval"
    assert approval["Configuration"]["NotificationArn"] == "NoticeTopic"


def test_test_and_production_differ_by_their_names_and_parameter_files_only() -> None:
    builds = [action for stage in STAGES.values() for action in stage["Actions"] if "BuildProject" in str(action)]
    assert [action["OutputArtifacts"] for action in builds] == [[{"Name": "Release"}]]
    test, production = (actions(stage) for stage in LAUNCHES)
    own = {"StackName", "TemplateConfiguration", "RoleArn", "EnvironmentVariables"}
    for name, action in test.items():
        other = production[name]
        assert action.get("InputArtifacts") == other.get("InputArtifacts") != [{"Name": "Source"}]
        assert action["ActionTypeId"] == other["ActionTypeId"]
        ours, theirs = action["Configuration"], other["Configuration"]
        assert {key for key in ours | theirs if ours.get(key) != theirs.get(key)} <= own
    assert production["Prepare"]["Configuration"]["TemplateConfiguration"] == "Release::parameters/production.json"
    assert [test["Prepare"]["Configuration"][key] for key in ("ActionMode", "TemplatePath")] == [
        "CHANGE_SET_REPLACE",
        "Release::photofleet.yaml",
    ]
    assert test["Launch"]["Configuration"]["ActionMode"] == "CHANGE_SET_EXECUTE"


def test_photos_are_uploaded_to_the_test_site_and_to_no_other() -> None:
    words = [json.loads(actions(stage)["Smoke"]["Configuration"]["EnvironmentVariables"]) for stage in LAUNCHES]
    assert [variables[0]["value"] for variables in words] == [
        "#{Test.SiteUrl} photo.png",
        "#{Production.SiteUrl} --look",
    ]
    assert "SiteUrl" in load_template(FOLDER / "photofleet.yaml")["Outputs"]


def test_the_release_brings_what_the_later_stages_use(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    source = working_tree()
    templates = {file: ROOT / file for file in source.templates()}
    archive.write(source, [], templates, tmp_path / "build" / "release")
    for command in BUILD["phases"]["build"]["commands"]:
        if command.startswith(("cp ", "mkdir ", "tar ")):
            subprocess.run(("bash", "-euc", command), cwd=tmp_path, check=True)

    release = tmp_path / BUILD["artifacts"]["base-directory"]
    for file in (
        "parameters/test.json",
        "parameters/production.json",
        "stack-policy.json",
        "manifest.json",
        "photo.png",
    ):
        assert (release / file).is_file(), file
    # Without the packages that are installed here: the machine that tries the site has none of them.
    tried = subprocess.run(
        (sys.executable, "-S", "-m", "tests.smoke", "http://example.com", "photo.png"),
        cwd=release, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert "does not begin with https://" in tried.stderr


def test_the_build_sees_the_commits_of_this_repository_and_cannot_add_to_them() -> None:
    (source,) = actions("Source").values()
    assert source["Configuration"]["OutputArtifactFormat"] == "CODEBUILD_CLONE_REF"
    (cloning,) = (one for one in statements("BuildRole") if "codeconnections:UseConnection" in one["Action"])
    assert cloning["Resource"] == PARAMETERS["ConnectionArn"]
    limits = cloning["Condition"]["ForAllValues:StringEquals"]
    for service in ("codeconnections", "codestar-connections"):
        assert limits[f"{service}:FullRepositoryId"] == PARAMETERS["Repository"]
        assert limits[f"{service}:ProviderPermissionsRequired"] == "read_only"


@pytest.mark.parametrize("project", ["SmokeProject", "ProtectProject"])
def test_what_is_run_for_a_stack_is_a_build_specification(project: str) -> None:
    written = yaml.safe_load(RESOURCES[project]["Properties"]["Source"]["BuildSpec"])
    for command in written["phases"]["build"]["commands"]:
        subprocess.run(("bash", "-n", "-c", command), check=True)


@pytest.mark.parametrize("role", ["TestRole", "ProductionRole"])
@pytest.mark.parametrize(
    "action",
    [
        "ec2:TerminateInstances", "iam:CreateUser", "iam:CreateAccessKey", "kms:Decrypt", "kms:ScheduleKeyDeletion",
        "logs:GetLogEvents", "s3:DeleteObject", "s3:PutObject", "secretsmanager:GetSecretValue", "sns:Publish",
        "sqs:DeleteMessage", "sqs:PurgeQueue", "sqs:ReceiveMessage", "ssm:SendCommand", "ssm:StartSession",
        "sts:AssumeRole",
    ],
)  # fmt: skip
def test_who_launches_a_stack_cannot_touch_what_is_in_it(role: str, action: str) -> None:
    assert allowed(role, action) == []


@pytest.mark.parametrize("role", ["TestRole", "ProductionRole"])
def test_who_launches_a_stack_reads_its_templates(role: str) -> None:
    pipelines, ours = allowed(role, "s3:GetObject")
    assert pipelines == "Artefacts.Arn/templates/*"
    assert "photofleet-templates-" in ours, "for `photofleet stack launch` by hand"


@pytest.mark.parametrize(
    "action",
    [
        "cloudformation:DeleteStack", "s3:DeleteBucket", "sqs:DeleteQueue", "sns:DeleteTopic", "iam:PassRole",
        "iam:PutRolePolicy", "iam:CreateRole", "autoscaling:DeleteAutoScalingGroup", "cloudwatch:DeleteAlarms",
        "logs:DeleteLogGroup", "ssm:PutParameter",
    ],
)  # fmt: skip
def test_a_stack_reaches_no_other_by_its_name(action: str) -> None:
    tags = [RESOURCES[role]["Properties"]["Tags"] for role in ("TestRole", "ProductionRole")]
    assert tags == [[{"Key": "Stack", "Value": f"photofleet-{name}"}] for name in ("test", "production")]
    resources = allowed("TestRole", action)
    assert resources
    assert all("${aws:PrincipalTag/Stack}" in resource for resource in resources)


def test_roles_go_to_instances_only_and_the_pipelines_own_stay_as_they_are() -> None:
    (handing_on,) = (one for one in statements("TestRole") if one["Action"] == "iam:PassRole")
    assert handing_on["Condition"] == {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    (refusal,) = (one for one in statements("TestRole") if one["Effect"] == "Deny")
    assert refusal["Action"] == "iam:*"
    assert {resource.rsplit(":", 1)[-1] for resource in refusal["Resource"]} == {
        "policy/photofleet-*",
        "role/photofleet-*",
    }


@pytest.fixture
def drift(aws: EmbeddedAWS, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program of the function that looks for what was changed by hand."""
    for name, value in (aws.address() | aws.credentials()).items():
        monkeypatch.setenv(name, value)
    module = ModuleType("drift")
    exec(RESOURCES["Drift"]["Properties"]["Code"]["ZipFile"], module.__dict__)  # noqa: S102 - it is ours
    return module


def test_what_was_changed_by_hand_is_found_and_named(
    drift: ModuleType,
    launch: Launch,
    root: RootClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    queue = launch("messaging", Name="drifting")["ResizeQueueUrl"]
    (stack,) = (
        stack["StackName"]
        for stack in root("cloudformation").describe_stacks()["Stacks"]
        if {"ParameterKey": "Name", "ParameterValue": "drifting"} in stack.get("Parameters", [])
    )
    monkeypatch.setenv("STACKS", f"never-launched {stack}")

    drift.handler({}, None)
    said = capsys.readouterr().out
    assert "never-launched is left out: it is not launched." in said
    assert "1 stacks are as their templates say." in said

    root("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "5"})
    with pytest.raises(RuntimeError, match="1 differences to the templates"):
        drift.handler({}, None)
    assert f"{stack}: ResizeQueue (AWS::SQS::Queue)/VisibilityTimeout is 5, not 60" in capsys.readouterr().out
