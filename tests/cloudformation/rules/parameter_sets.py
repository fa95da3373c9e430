"""The parameter sets that we bring are all that tells test from production."""

from collections.abc import Iterator

from tests.cloudformation.rules.parameters import ASKED, allows
from tests.cloudformation.rules.rule import ROOT, Documents, mappings, references, rule, templates


def _sets(documents: Documents) -> Iterator[tuple[str, dict[str, str]]]:
    for path, document in documents.items():
        if path.startswith("parameters/"):
            yield path, document["Parameters"]


@rule(
    lambda documents: documents["parameters/test.json"]["Parameters"].update(Colour="blue"),
    lambda documents: documents["parameters/test.json"]["Parameters"].update(LogDays="15"),
    lambda documents: documents["parameters/local.json"]["Parameters"].update(BackupDays=7),
    lambda documents: documents["parameters/local.json"]["Parameters"].update(Egress=""),
    lambda documents: documents["parameters/production.json"].update(StackPolicy={}),
)
def a_parameter_set_gives_existing_parameters_allowed_values(documents: Documents) -> Iterator[str]:
    declared = documents[ROOT]["Parameters"]
    for path, given in _sets(documents):
        if set(documents[path]) != {"Parameters"}:
            yield f"{path} holds more than parameters."
        for name, value in given.items():
            if name not in declared:
                yield f"{path}: there is no parameter {name}."
            elif not isinstance(value, str):
                yield f"{path}: {name} is no text, which `aws cloudformation deploy` insists on."
            # What is empty and has no default is for people to fill in, and refused until they have.
            elif not allows(declared[name], value) and not (value == "" and "Default" not in declared[name]):
                yield f"{path}: {name} may not be {value!r}."


@rule(
    lambda documents: documents["parameters/production.json"]["Parameters"].update(Environment="test"),
    lambda documents: documents["parameters/test.json"]["Parameters"].pop("Environment"),
    lambda documents: documents["parameters/test.json"]["Parameters"].pop("CertificateArn"),
    lambda documents: documents.pop("parameters/production.json"),
)
def a_set_for_tests_and_one_for_production_name_all_that_is_needed(documents: Documents) -> Iterator[str]:
    for environment in documents[ROOT]["Parameters"]["Environment"]["AllowedValues"]:
        given = documents.get(f"parameters/{environment}.json", {"Parameters": {}})["Parameters"]
        if given.get("Environment") != environment:
            yield f"No parameter set is for {environment}."
        yield from (f"The parameter set for {environment} does not name {name}." for name in ASKED if name not in given)


@rule(
    lambda documents: documents[ROOT].update(
        Conditions={"IsProduction": {"Fn::Equals": [{"Ref": "Environment"}, "production"]}}
    ),
    lambda documents: documents[ROOT]["Outputs"]["SiteUrl"].update(Value={"Fn::Sub": "https://${Environment}"}),
    lambda documents: documents[ROOT].update(Mappings={"Size": {"test": {"Zones": "2"}}}),
)
def nothing_else_tells_tests_from_production(documents: Documents) -> Iterator[str]:
    """Whether a stack is for tests or for production decides nothing in a template but what rules refuse."""
    for section in ("Conditions", "Resources", "Outputs"):
        if "Environment" in references(documents[ROOT].get(section, {})):
            yield f"Something in {section} depends on the environment."
    for file, template in templates(documents).items():
        environments = {"test", "production"}
        if any(environments & set(mapping) for mapping in mappings(template.get("Mappings", {}))):
            yield f"{file} maps environments to something."
