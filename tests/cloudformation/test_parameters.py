"""The parameter files and the stack policy: what is left to their owner, to the launcher, and to nobody."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from photofleet.fleet.template import load_template
from photofleet.stack.guard_rails import STATEFUL
from photofleet.stack.parameters import read_file

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


def test_what_holds_state_is_neither_replaced_nor_removed() -> None:
    policy = (FOLDER / "stack-policy.json").read_text(encoding="utf-8")
    (refusal,) = (one for one in json.loads(policy)["Statement"] if one["Effect"] == "Deny")
    assert set(refusal["Action"]) == {"Update:Replace", "Update:Delete"}
    # By type and never by name: AWS refuses a policy that names what is not in the stack, and all stacks have this one.
    assert refusal["Resource"] == "*"
    assert set(refusal["Condition"]["StringEquals"]["ResourceType"]) == {"AWS::CloudFormation::Stack", *STATEFUL}
