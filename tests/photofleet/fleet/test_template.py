"""Templates with their intrinsic functions, worked out for given parameters."""

from pathlib import Path
from typing import Any

import pytest

from photofleet.fleet.template import TemplateError, load_template, resolve

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Stage: {Type: String, Default: test}
  Size: {Type: Number}
  Zones: {Type: CommaDelimitedList, Default: "a,b,c"}
Mappings:
  Sizes:
    test: {Class: small}
    production: {Class: large}
Conditions:
  Production: !Equals [!Ref Stage, production]
  Large: !And [!Condition Production, !Not [!Equals [!Ref Size, "1"]]]
  Either: !Or [!Condition Production, !Equals [!Ref Size, "1"]]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      Value: VALUE
  Extra:
    Type: AWS::SQS::Queue
    Condition: Production
"""


def load(folder: Path, value: str) -> dict[str, Any]:
    path = folder / "template.yaml"
    path.write_text(TEMPLATE.replace("VALUE", value), encoding="utf-8")
    return load_template(path)


def worked_out(folder: Path, value: str, **parameters: str) -> Any:
    resources = resolve(load(folder, value), {"Size": "1", **parameters})["Resources"]
    return resources["Queue"].get("Properties", {}).get("Value")


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("!Ref Stage", {"Ref": "Stage"}),
        ("!GetAtt Queue.Arn", {"Fn::GetAtt": ["Queue", "Arn"]}),
        ("!Sub a-${Stage}", {"Fn::Sub": "a-${Stage}"}),
        ("!Join ['-', [!Ref Stage, b]]", {"Fn::Join": ["-", [{"Ref": "Stage"}, "b"]]}),
        ("!Condition Production", {"Condition": "Production"}),
        ("{a: !If [Production, 1, 2]}", {"a": {"Fn::If": ["Production", 1, 2]}}),
        ("2012-10-17", "2012-10-17"),
    ],
)
def test_short_forms_are_read_as_long_ones(tmp_path: Path, short: str, long: Any) -> None:
    template = load(tmp_path, short)

    assert template["Resources"]["Queue"]["Properties"]["Value"] == long
    assert template["AWSTemplateFormatVersion"] == "2010-09-09"


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("!Ref Stage", "test"),
        ("!Ref Zones", ["a", "b", "c"]),
        ("!Ref Queue", "Queue"),
        ("!Ref AWS::Partition", "aws"),
        ("!Ref AWS::NoValue", None),
        ("[1, !Ref AWS::NoValue, 2]", [1, 2]),
        ("!GetAtt Queue.Arn", "Queue.Arn"),
        (
            "!Sub '${Stage} ${Queue} ${Queue.Arn} ${!Stage} ${AWS::Region}'",
            "test Queue Queue.Arn ${Stage} eu-central-1",
        ),
        ("!Sub ['${Stage} ${own}', {own: !Ref Size}]", "test 1"),
        ("!Join ['-', [!Ref Stage, b]]", "test-b"),
        ("!Select [1, !Ref Zones]", "b"),
        ("!Split [e, !Ref Stage]", ["t", "st"]),
        ("!FindInMap [Sizes, !Ref Stage, Class]", "small"),
        ("!If [Production, 1, [2, !Ref Size]]", [2, "1"]),
        ("!If [Large, 1, 2]", 2),
        ("!If [Either, 1, 2]", 1),
        ("!Base64 photo", "cGhvdG8="),
        ("{Condition: {StringEquals: {a: !Ref Stage}}}", {"Condition": {"StringEquals": {"a": "test"}}}),
    ],
)
def test_functions_are_worked_out(tmp_path: Path, value: str, result: Any) -> None:
    assert worked_out(tmp_path, value) == result


def test_parameters_and_conditions_decide_what_there_is(tmp_path: Path) -> None:
    template = load(tmp_path, "!If [Large, !Ref Size, 2]")

    assert set(resolve(template, {"Size": "5"})["Resources"]) == {"Queue"}
    production = resolve(template, {"Size": "5", "Stage": "production"})["Resources"]
    assert set(production) == {"Queue", "Extra"}
    assert production["Queue"]["Properties"]["Value"] == "5"
    assert worked_out(tmp_path, "!Ref AWS::StackName", **{"AWS::StackName": "photos"}) == "photos"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("!Ref Nobody", "Neither a parameter nor a resource is called Nobody."),
        ("!GetAtt Nobody.Arn", "No resource is called Nobody."),
        ("!Sub '${Nobody}'", "Neither a parameter nor a resource is called Nobody."),
        ("!If [Nobody, 1, 2]", "No condition is called Nobody."),
        ("!FindInMap [Sizes, test, Colour]", "The mapping Sizes has no test.Colour."),
        ("!Cidr [10.0.0.0/16, 2, 8]", "The function Fn::Cidr is not supported here."),
        ("!Select [7, !Ref Zones]", "A function in Resources Queue has arguments that do not fit"),
    ],
)
def test_what_cannot_be_worked_out_is_refused(tmp_path: Path, value: str, problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        worked_out(tmp_path, value)


def test_unknown_and_missing_parameters_are_refused(tmp_path: Path) -> None:
    template = load(tmp_path, "1")

    with pytest.raises(TemplateError, match="The template has no parameter Colour"):
        resolve(template, {"Size": "1", "Colour": "red"})
    with pytest.raises(TemplateError, match="Give a value for the template's parameter Size"):
        resolve(template, {})


@pytest.mark.parametrize(("text", "problem"), [("a: [", "is not YAML"), ("a: 1", "it has no Resources")])
def test_what_is_no_template_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(TemplateError, match=problem):
        load_template(path)
