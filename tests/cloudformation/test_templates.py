"""What holds for every template."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable

import pytest

TEMPLATES = sorted(
    (path for path in files("cloudformation").iterdir() if path.name.endswith(".yaml")), key=lambda path: path.name
)
STATEFUL = ("AWS::S3::Bucket", "AWS::SQS::Queue")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_what_holds_state_outlives_its_stack(template: Traversable) -> None:
    text = template.read_text(encoding="utf-8")
    resources = re.findall(r"^  (\w+):\n    Type: (\S+)\n((?:    .*\n|\n)*)", text, re.MULTILINE)
    assert resources
    for name, kind, body in resources:
        if kind in STATEFUL:
            assert "    DeletionPolicy: Retain\n" in body, name
            assert "    UpdateReplacePolicy: Retain\n" in body, name


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_description_is_a_sentence(template: Traversable) -> None:
    descriptions = re.findall(r"Description: (?:>-\n)?((?:.+\n)+?)(?=\n|    )", template.read_text(encoding="utf-8"))
    assert descriptions
    assert all(description.strip().endswith(".") for description in descriptions), descriptions
