"""Whoever boots is told every setting that the service needs, and where the queues and buckets are."""

import re
from collections.abc import Iterator

from photofleet.settings import PREFIX, Settings, variable
from tests.cloudformation.rules.rule import ROOT, Documents, origins, resource, rule


def settings(documents: Documents) -> dict[str, str]:
    """The lines that instances read as they boot, by the names of their variables."""
    return dict(_lines(documents))


def _lines(documents: Documents) -> list[tuple[str, str]]:
    text = resource(documents, ROOT, "Settings")["Value"]["Fn::Sub"]
    return [(name, value) for name, _, value in (line.partition("=") for line in text.splitlines())]


def _change_settings(documents: Documents, old: str, new: str) -> None:
    value = resource(documents, ROOT, "Settings")["Value"]
    value["Fn::Sub"] = value["Fn::Sub"].replace(old, new)


@rule(
    lambda documents: _change_settings(documents, "PHOTOFLEET_HOSTS", "PHOTOFLEET_HOST"),
    lambda documents: _change_settings(documents, "PHOTOFLEET_TOPIC_ARN", "#"),
    lambda documents: _change_settings(documents, "PHOTOFLEET_LABEL_QUEUE_URL", "PHOTOFLEET_RESIZE_QUEUE_URL"),
    lambda documents: _change_settings(documents, "DATABASE_HOST", "PHOTOFLEET_DATABASE_URL"),
    lambda documents: _change_settings(documents, "DATABASE_HOST=", "DATABASE_HOST"),
)
def the_service_is_told_existing_settings_and_all_that_it_needs(documents: Documents) -> Iterator[str]:
    """The address of the database is made on each instance, from what begins with DATABASE_."""
    names = [name for name, _ in _lines(documents)]
    known = {variable(name) for name in Settings.model_fields}
    needed = {variable(name) for name, field in Settings.model_fields.items() if field.is_required()}
    address = variable("database_url")
    yield from (f"There is no setting {name}." for name in names if name.startswith(PREFIX) and name not in known)
    yield from (f"{name} is not told." for name in sorted(needed - {address} - set(names)))
    yield from (f"{name} is told twice." for name in sorted(set(names)) if names.count(name) > 1)
    if address in names:
        yield "The address of the database would hold its password."
    for name, value in _lines(documents):
        if not re.fullmatch(r"(PHOTOFLEET|DATABASE)_[A-Z_]+", name) or not value or value != value.strip():
            yield f"{name}={value} is no line of an env file."


@rule(
    lambda documents: _change_settings(documents, "Outputs.LabelQueueUrl", "Outputs.ResizeQueueUrl"),
    lambda documents: _change_settings(documents, "Outputs.OriginalsBucket", "Outputs.RenditionsBucket"),
    lambda documents: _change_settings(documents, "MessagingStack.Outputs.TopicArn", "Environment"),
    lambda documents: documents["messaging.yaml"]["Outputs"]["LabelDeadLetterUrl"].update(
        Value={"Fn::GetAtt": ["LabelDeadLetterQueue", "Arn"]}
    ),
)
def every_queue_and_bucket_and_topic_that_the_code_names_is_in_a_template(documents: Documents) -> Iterator[str]:
    told = settings(documents)
    expected = {"PHOTOFLEET_TOPIC_ARN": "messaging.yaml Topic"}
    for name in Settings.model_fields:
        words = [word.capitalize() for word in name.split("_")]
        match words:
            case [stage, "Queue", "Url"]:
                expected[variable(name)] = f"messaging.yaml {stage}Queue"
            case [stage, "Dead", "Letter", "Url"]:
                expected[variable(name)] = f"messaging.yaml {stage}DeadLetterQueue"
            case [content, "Bucket"]:
                expected[variable(name)] = f"storage.yaml {content}Bucket"
    for name, origin in expected.items():
        found = origins(documents, ROOT, {"Fn::Sub": told.get(name, "")})
        if found != {origin}:
            yield f"{name} should be {origin}, not {found}."
