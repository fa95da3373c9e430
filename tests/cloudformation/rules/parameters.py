"""Parameters that explain themselves, refuse what cannot be, and hold no secret."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.cloudformation.rules.rule import ROOT, Documents, is_sentence, nested, rule, templates

ASKED = ["Environment", "DomainName", "CertificateArn", "AlarmEmail"]
"""All that a first launch has to be told."""

SECRET = re.compile(r"password|passphrase|credential|token|private.?key|api.?key|secret(?!Arn$)", re.IGNORECASE)

CONSTRAINTS = ({"AllowedPattern"}, {"AllowedValues"}, {"MinValue", "MaxValue"})
# Of other types, such as AWS::EC2::VPC::Id, CloudFormation itself checks that they are there.
UNCHECKED = ("String", "Number", "CommaDelimitedList", "AWS::SSM::Parameter::")


def _parameters(documents: Documents) -> Iterator[tuple[str, str, Any]]:
    for file, template in templates(documents).items():
        for name, parameter in template.get("Parameters", {}).items():
            yield file, name, parameter


@rule(
    lambda documents: _groups(documents, "web.yaml")[0]["Parameters"].remove("DomainName"),
    lambda documents: _groups(documents, "web.yaml")[1]["Parameters"].append("Color"),
    lambda documents: _groups(documents, ROOT)[1]["Parameters"].append("Environment"),
    lambda documents: _groups(documents, ROOT)[1].update(Label={"default": ""}),
)
def every_parameter_is_in_one_group(documents: Documents) -> Iterator[str]:
    for file, template in templates(documents).items():
        groups = _groups(documents, file)
        grouped = [name for group in groups for name in group["Parameters"]]
        declared = template.get("Parameters", {})
        yield from (f"{file}: {name} is in no group." for name in declared if name not in grouped)
        yield from (f"{file}: {name} is in a group and not there." for name in grouped if name not in declared)
        yield from (f"{file}: {name} is grouped twice." for name in set(grouped) if grouped.count(name) > 1)
        yield from (f"{file}: a group has no label." for group in groups if not group["Label"]["default"])


def _groups(documents: Documents, file: str) -> Any:
    metadata = documents[file].get("Metadata", {})
    return metadata.get("AWS::CloudFormation::Interface", {}).get("ParameterGroups", [])


@rule(
    lambda documents: documents[ROOT]["Parameters"]["Egress"].pop("Description"),
    lambda documents: documents["web.yaml"]["Parameters"]["VpcId"].update(Description="The network"),
)
def every_parameter_is_documented(documents: Documents) -> Iterator[str]:
    for file, name, parameter in _parameters(documents):
        if not is_sentence(parameter.get("Description")):
            yield f"{file}: {name} is not described by a sentence."


@rule(
    lambda documents: documents[ROOT]["Parameters"]["DomainName"].pop("AllowedPattern"),
    lambda documents: documents[ROOT]["Parameters"]["BackupDays"].pop("MaxValue"),
    lambda documents: documents["network.yaml"]["Parameters"]["Name"].pop("ConstraintDescription"),
    lambda documents: documents["network.yaml"]["Parameters"]["Name"].update(ConstraintDescription="lower case"),
    lambda documents: documents["storage.yaml"]["Parameters"]["SiteOrigin"].update(AllowedPattern="^["),
)
def every_parameter_is_constrained_and_a_sentence_says_how(documents: Documents) -> Iterator[str]:
    for file, name, parameter in _parameters(documents):
        if parameter["Type"].startswith(UNCHECKED):
            if not any(set(parameter) >= constraints for constraints in CONSTRAINTS):
                yield f"{file}: {name} may be anything."
            if not is_sentence(parameter.get("ConstraintDescription")):
                yield f"{file}: no sentence says what {name} may be."
        try:
            re.compile(parameter.get("AllowedPattern", ""))
        except re.error as error:
            yield f"{file}: the pattern of {name} is none: {error}."


@rule(
    lambda documents: documents[ROOT]["Parameters"]["LogDays"].update(Default=8),
    lambda documents: documents[ROOT]["Parameters"]["BackupDays"].update(Default=1),
    lambda documents: documents[ROOT]["Parameters"]["VpcCidr"].update(Default="10.0.0.0/8"),
)
def every_default_is_allowed(documents: Documents) -> Iterator[str]:
    for file, name, parameter in _parameters(documents):
        if "Default" in parameter and not allows(parameter, str(parameter["Default"])):
            yield f"{file}: {name} does not allow its own default."


def allows(parameter: Mapping[str, Any], value: str) -> bool:
    if "AllowedValues" in parameter and value not in map(str, parameter["AllowedValues"]):
        return False
    if parameter["Type"] == "Number" and not (
        re.fullmatch(r"\d+(\.\d+)?", value)
        and parameter.get("MinValue", 0) <= float(value) <= parameter.get("MaxValue", float("inf"))
    ):
        return False
    items = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
    return all(re.fullmatch(parameter.get("AllowedPattern", ".*"), item) for item in items)


@rule(
    lambda documents: documents["database.yaml"]["Parameters"]["SecretArn"].update(NoEcho=True),
    lambda documents: documents[ROOT]["Parameters"].update(DatabasePassword={"Type": "String"}),
)
def no_parameter_holds_a_secret(documents: Documents) -> Iterator[str]:
    for file, name, parameter in _parameters(documents):
        if "NoEcho" in parameter or SECRET.search(name):
            yield f"{file}: {name} is a secret."


@rule(
    lambda documents: documents[ROOT]["Parameters"]["Egress"].pop("Default"),
    lambda documents: documents[ROOT]["Parameters"]["AlarmEmail"].update(Default="somebody@example.com"),
    lambda documents: _groups(documents, ROOT).reverse(),
)
def a_first_launch_asks_for_four_things_before_all_others(documents: Documents) -> Iterator[str]:
    needed = [name for name, parameter in documents[ROOT]["Parameters"].items() if "Default" not in parameter]
    if needed != ASKED:
        yield f"A first launch asks for {needed}."
    if _groups(documents, ROOT)[0]["Parameters"] != ASKED:
        yield "The first group is not what a first launch asks for."


@rule(
    lambda documents: _limits(documents, ROOT, "LabelMaxSpot").update(MaxValue=5000),
    lambda documents: _limits(documents, ROOT, "LogDays")["AllowedValues"].append(8),
    lambda documents: _limits(documents, "database.yaml", "BackupDays").update(MinValue=14),
)
def the_root_refuses_what_a_nested_template_would(documents: Documents) -> Iterator[str]:
    """What the root lets through and a nested stack refuses ends a launch in its middle."""
    for stack in nested(documents):
        for name, value in stack["Parameters"].items():
            if isinstance(value, dict) and value.get("Ref") in documents[ROOT]["Parameters"]:
                ours = _limits(documents, ROOT, value["Ref"])
                theirs = _limits(documents, stack["TemplateURL"].removeprefix("./"), name)
                refused = [choice for choice in ours.get("AllowedValues", []) if not allows(theirs, str(choice))]
                if "AllowedValues" in theirs and "AllowedValues" not in ours:
                    refused.append("anything else")
                if "AllowedValues" not in ours:
                    if ours.get("MinValue", 0) < theirs.get("MinValue", 0):
                        refused.append(ours.get("MinValue", 0))
                    if ours.get("MaxValue", float("inf")) > theirs.get("MaxValue", float("inf")):
                        refused.append(ours.get("MaxValue"))
                if refused:
                    yield f"{value['Ref']} may be {refused}, which {stack['TemplateURL']} refuses as {name}."


def _limits(documents: Documents, file: str, name: str) -> Any:
    return documents[file]["Parameters"].get(name, {"Type": "String"})
