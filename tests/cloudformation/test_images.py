"""What Image Builder bakes from what and with which rights; and its steps, which run here."""

import subprocess
from collections.abc import Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from photofleet.fleet.template import load_template, resolve

ROOT = Path(__file__).parents[2]
RELEASE = "photofleet-0.1.0-0123456789ab"
TIERS = ("Web", "Resize", "Label")


def launched(**parameters: str) -> dict[str, Any]:
    """The properties of everything in the stack, for these parameters beside those that it needs."""
    needed = {
        "Release": RELEASE.removeprefix("photofleet-"),
        "ReleaseDigest": "0" * 64,
        "ReleaseBucket": "example-releases",
    }
    resources = resolve(load_template(ROOT / "cloudformation" / "images.yaml"), needed | parameters)["Resources"]
    return {name: body["Properties"] for name, body in resources.items()}


def steps(**parameters: str) -> dict[str, Any]:
    """The inputs of the steps of a bake, by their names."""
    document = yaml.safe_load(launched(**parameters)["Component"]["Data"])
    return {step["name"]: step["inputs"] for phase in document["phases"] for step in phase["steps"]}


def bake(folder: Path, digest: str, network: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run the step that bakes the web image of the release in a folder."""
    (commands,) = steps(ReleaseDigest=digest)["Bake"]["commands"]
    commands = commands.replace("{{ Role }}", "web").replace("{{ Network }}", " ".join(network))
    commands = commands.replace("/var/tmp", str(folder))  # noqa: S108 - it is replaced
    return subprocess.run(("bash", "-c", commands), capture_output=True, text=True, check=False)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release whose script notes for which role it was run."""
    script = tmp_path / RELEASE / "ami" / "provision.sh"
    script.parent.mkdir(parents=True)
    script.write_text(f'#!/bin/sh\necho "$1" >{tmp_path}/baked\nenv >{tmp_path}/environment\n', encoding="utf-8")
    script.chmod(0o755)
    folder = tmp_path / "instance"
    folder.mkdir()
    subprocess.run(("tar", "-cf", folder / f"{RELEASE}.tar", "-C", tmp_path, RELEASE), check=True)
    return folder / f"{RELEASE}.tar"


def test_a_bake_downloads_the_release_runs_its_script_and_leaves_nothing(release: Path, tmp_path: Path) -> None:
    (download,) = steps()["Download"]
    assert download["source"] == f"s3://example-releases/releases/{release.name}"
    assert Path(download["destination"]).name == release.name

    baked = bake(release.parent, sha256(release.read_bytes()).hexdigest())

    assert baked.returncode == 0, baked.stderr
    assert (tmp_path / "baked").read_text(encoding="utf-8") == "web\n"
    assert list(release.parent.iterdir()) == []


def test_nothing_of_a_release_runs_that_is_not_the_one_which_was_named(release: Path, tmp_path: Path) -> None:
    assert bake(release.parent, "1" * 64).returncode != 0
    assert not (tmp_path / "baked").exists()


def test_the_steps_are_scripts() -> None:
    for name in ("Bake", "Check"):
        for command in steps()[name]["commands"]:
            subprocess.run(("bash", "-n", "-c", command), check=True)


WEIGHTS = {"LabelModel": "mine", "LabelWeights": "own.pt", "LabelWeightsDigest": "1" * 64}


def network(**parameters: str) -> list[str]:
    """The settings of the network that the label image is baked with."""
    (component,) = launched(**parameters)["LabelRecipe"]["Components"]
    given = {parameter["Name"]: parameter["Value"] for parameter in component["Parameters"]}
    (settings,) = given["Network"]
    return settings.split()


def readable(path: str, **parameters: str) -> bool:
    """Whether the instance that bakes may read an object."""
    (policy,) = launched(**parameters)["InstanceRole"]["Policies"]
    arn = f"arn:aws:s3:::{path}"
    statements = policy["PolicyDocument"]["Statement"]
    return any(body["Action"] == "s3:GetObject" and fnmatchcase(arn, body["Resource"]) for body in statements)


def test_the_label_image_is_baked_with_the_network_that_the_stack_names(release: Path, tmp_path: Path) -> None:
    assert network() == ["PHOTOFLEET_LABEL_MODEL=efficientnet_lite2"]
    assert network(**WEIGHTS) == [
        "PHOTOFLEET_LABEL_MODEL=mine",
        "PHOTOFLEET_LABEL_WEIGHTS=s3://example-releases/releases/weights/own.pt",
        f"PHOTOFLEET_LABEL_WEIGHTS_SHA256={'1' * 64}",
    ]

    assert bake(release.parent, sha256(release.read_bytes()).hexdigest(), network(**WEIGHTS)).returncode == 0

    assert {*network(**WEIGHTS)} <= {*(tmp_path / "environment").read_text(encoding="utf-8").splitlines()}


@pytest.mark.parametrize("name", ["own.pt", "own.toml", "own.txt"])
def test_an_instance_that_bakes_may_read_the_weights_and_what_lies_beside_them_alone(name: str) -> None:
    assert readable(f"example-releases/releases/weights/{name}", **WEIGHTS)
    assert not readable(f"example-releases/releases/weights/{name}")
    assert not readable(f"example-releases/releases/weights/an-{name}", **WEIGHTS)
    assert not readable(f"example-releases/{name}", **WEIGHTS)


def test_another_network_in_the_same_release_makes_another_recipe() -> None:
    one, other = (launched(**WEIGHTS | {"LabelWeightsDigest": digit * 64}) for digit in "12")
    assert one["Component"] == other["Component"]
    assert one["LabelRecipe"]["Name"] != other["LabelRecipe"]["Name"]


@pytest.mark.parametrize(
    ("accelerator", "role", "device"), [("cpu", "label-cpu", "/dev/xvda"), ("gpu", "label-gpu", "/dev/sda1")]
)
def test_the_label_image_is_baked_for_the_processor_that_the_stacks_have(
    accelerator: str, role: str, device: str
) -> None:
    recipe = launched(LabelAccelerator=accelerator)["LabelRecipe"]
    assert recipe["Components"][0]["Parameters"][0] == {"Name": "Role", "Value": [role]}
    assert [disk["DeviceName"] for disk in recipe["BlockDeviceMappings"]] == [device]
    assert ("deeplearning" in recipe["ParentImage"]) == (accelerator == "gpu")


def test_the_base_images_are_those_of_the_bake_by_hand() -> None:
    versions = (ROOT / "ami" / "versions.env").read_text(encoding="utf-8").splitlines()
    resources = launched(LabelAccelerator="gpu")
    for name, recipe in (("DEBIAN_PARAMETER", "WebRecipe"), ("UBUNTU_PARAMETER", "LabelRecipe")):
        assert f"{name}={resources[recipe]['ParentImage'].removeprefix('ssm:')}" in versions


@pytest.mark.parametrize("tier", TIERS)
def test_each_pipeline_enters_its_image_where_the_stacks_look_for_it(tier: str) -> None:
    (distribution,) = launched()[f"{tier}Distribution"]["Distributions"]
    (parameter,) = distribution["SsmParameterConfigurations"]
    root = load_template(ROOT / "cloudformation" / "photofleet.yaml")
    assert parameter["ParameterName"] == root["Parameters"][f"{tier}Image"]["Default"]


def test_what_cannot_be_changed_has_another_name_in_another_release() -> None:
    names = ("Component", *(f"{tier}Recipe" for tier in TIERS))
    one, other = launched(), launched(Release="0.1.0-ba9876543210")
    for name in names:
        assert one[name]["Name"] != other[name]["Name"]


@pytest.mark.parametrize(
    "action",
    ["ssm:PutParameter", "ssm:GetParameter", "ec2:CreateImage", "iam:PassRole", "s3:PutObject", "s3:ListBucket"],
)
def test_an_instance_that_bakes_reads_its_release_and_changes_nothing(action: str) -> None:
    role = launched()["InstanceRole"]
    assert "ManagedPolicyArns" not in role
    (policy,) = role["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any(fnmatchcase(action, allowed) for allowed in actions)
