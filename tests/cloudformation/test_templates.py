"""What holds for every template."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import pytest
import yaml

TEMPLATES = sorted(
    (path for path in files("cloudformation").iterdir() if path.name.endswith(".yaml")), key=lambda path: path.name
)
STATEFUL = ("AWS::S3::Bucket", "AWS::SQS::Queue")


class Loader(yaml.SafeLoader):
    """Reads templates; what a !Ref or another function of CloudFormation would give is None."""


Loader.add_multi_constructor("!", lambda _loader, _function, _node: None)


@pytest.fixture(params=TEMPLATES, ids=lambda path: path.name)
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    path: Traversable = request.param
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - it is a SafeLoader
    return found


def test_what_holds_state_outlives_its_stack(template: dict[str, Any]) -> None:
    stateful = {name: resource for name, resource in template["Resources"].items() if resource["Type"] in STATEFUL}
    assert stateful
    for name, resource in stateful.items():
        # Unless it was made just now, for a stack that then failed, and so is empty and would only be in the way.
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate", name
        assert resource["UpdateReplacePolicy"] == "Retain", name


def test_every_description_is_a_sentence(template: dict[str, Any]) -> None:
    descriptions = [template["Description"], *(output["Description"] for output in template["Outputs"].values())]
    assert all(description.endswith(".") for description in descriptions), descriptions


def test_nothing_is_reached_over_an_unencrypted_connection(template: dict[str, Any]) -> None:
    policies = [
        resource["Properties"]["PolicyDocument"]["Statement"]
        for resource in template["Resources"].values()
        if "PolicyDocument" in resource.get("Properties", {}) and resource["Type"] != "AWS::IAM::ManagedPolicy"
    ]
    assert policies
    for statements in policies:
        refusals = [
            statement["Condition"]
            for statement in statements
            if (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        ]
        assert {"Bool": {"aws:SecureTransport": False}} in refusals
