"""The parameter files and the stack policy: what is left to their owner, to the launcher, and to nobody."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from photofleet.fleet.template import load_template
from photofleet.images.renditions import DEFAULT_RENDITIONS, parse_renditions
from photofleet.stack.guard_rails import STATEFUL
from photofleet.stack.parameters import read_file
from tests.cloudformation.rules.parameters import allows

FOLDER = Path(__file__).parents[2] / "cloudformation"
DECLARED: dict[str, Any] = load_template(FOLDER / "photofleet.yaml")["Parameters"]


def values(name: str) -> dict[str, str]:
    return read_file(FOLDER / "parameters" / f"{name}.json")


@pytest.mark.parametrize("name", ["test", "production"])
def test_nothing_is_launched_before_its_owner_has_filled_in_what_is_theirs(name: str) -> None:
    empty = {parameter for parameter, value in values(name).items() if not value}
    assert empty == {"DomainName", "CertificateArn", "AlarmEmail"}
    assert not any(re.fullmatch(DECLARED[parameter]["AllowedPattern"], "") for parameter in empty)


def test_one_machine_finds_out_its_certificate_and_nothing_else_that_is_needed() -> None:
    needed = {parameter for parameter, declared in DECLARED.items() if "Default" not in declared}
    assert needed - set(values("local")) == {"CertificateArn"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        DEFAULT_RENDITIONS,
        "w320 320",
        "w320 320 avif,square 400x400 cover webp:75:6 jpeg:70",
        "w320 320 fit, moving 640x480 animation webp:60",
    ],
)
def test_renditions_are_declared_as_the_setting_declares_them(text: str) -> None:
    assert allows(DECLARED["Renditions"], text)
    assert not text or parse_renditions(text)
    for template in ("web.yaml", "workers.yaml"):
        settings = load_template(FOLDER / template)["Parameters"]["Settings"]
        assert allows(settings, f"PHOTOFLEET_HOSTS=example.com\nPHOTOFLEET_RENDITIONS={text}\nPHOTOFLEET_TOPIC_ARN=a")


@pytest.mark.parametrize(
    "text",
    ["w320", "320", "w320 320,", ",w320 320", "w320  320", "w320 320 png", "W320 320", "w320 320x", "w320 320 w640 640"]
    + [f"w320 320{inserted}PHOTOFLEET_HOSTS=evil.example" for inserted in ("\n", " ", "\r\n")],
)
def test_renditions_that_no_program_could_read_are_refused_at_the_launch(text: str) -> None:
    assert not allows(DECLARED["Renditions"], text)


def test_what_holds_state_is_neither_replaced_nor_removed() -> None:
    policy = (FOLDER / "stack-policy.json").read_text(encoding="utf-8")
    (refusal,) = (one for one in json.loads(policy)["Statement"] if one["Effect"] == "Deny")
    assert set(refusal["Action"]) == {"Update:Replace", "Update:Delete"}
    # By type and never by name: AWS refuses a policy that names what is not in the stack, and all stacks have this one.
    assert refusal["Resource"] == "*"
    assert set(refusal["Condition"]["StringEquals"]["ResourceType"]) == {"AWS::CloudFormation::Stack", *STATEFUL}
