"""Whoever boots is told every setting that the service needs, and where the queues and buckets are."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import make_url

from photofleet.catalog import roles
from photofleet.fleet.template import resolve
from photofleet.settings import Settings, variable
from tests.cloudformation.rules.rule import ROOT, Documents, origins, resource, rule

DATABASE = "database.yaml"
USERS = {"WebStack": roles.WEB, "ResizeStack": roles.WORKER, "LabelStack": roles.WORKER}
"""Whom each tier signs in to a new database as."""

SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:theirs"  # noqa: S105 - its name
NEW = {"Host": "", "SecretArn": "", "Engine": "postgres"}
DATABASES = {
    "a new database": NEW,
    "Aurora": NEW | {"Engine": "aurora-postgresql"},
    "an existing database": NEW | {"Host": "db.example.com", "SecretArn": SECRET},
}
OWNERS = {
    "a new database": "Instance.MasterUserSecret.SecretArn",
    "Aurora": "Cluster.MasterUserSecret.SecretArn",
    "an existing database": SECRET,
}
"""The secret of each database's owner."""

VERIFIED = {"sslmode": "verify-full", "sslrootcert": "/etc/photofleet/database-ca.pem"}

URL, IAM, OWNERS_SECRET = variable("database_url"), variable("database_iam"), variable("database_secret")


def settings(documents: Documents) -> dict[str, str]:
    """The lines that tell of all but the database, by the names of their variables."""
    return {name: value for name, equals, value in _parts(_text(documents)) if equals}


def _text(documents: Documents) -> str:
    text: str = resource(documents, ROOT, "Settings")["Value"]["Fn::Sub"]
    return text


def _parts(text: str) -> list[tuple[str, str, str]]:
    return [line.partition("=") for line in text.splitlines()]


def _told(documents: Documents) -> Iterator[tuple[str, str, str]]:
    """What each tier is told: which kind of database there is, the tier's stack, and the text."""
    for kind, given in DATABASES.items():
        parameters = dict.fromkeys(documents[DATABASE]["Parameters"], "") | given
        known = {
            f"DatabaseStack.Outputs.{name}": output["Value"]
            for name, output in resolve(documents[DATABASE], parameters)["Outputs"].items()
        }
        known["Settings.Value"] = _text(documents)
        for name, value in list(known.items()):
            known["Settings.Value"] = known["Settings.Value"].replace(f"${{{name}}}", value)
        for stack in USERS:
            value = _with(resource(documents, ROOT, stack)["Parameters"]["Settings"], known)
            template = {"Resources": {}, "Outputs": {"Settings": {"Value": value}}}
            yield kind, stack, resolve(template, {})["Outputs"]["Settings"]["Value"]


def _with(node: Any, known: Mapping[str, str]) -> Any:
    """A part of a template with what its references to attributes mean."""
    if isinstance(node, dict):
        if list(node) == ["Fn::GetAtt"]:
            return known[".".join(node["Fn::GetAtt"])]
        return {key: _with(value, known) for key, value in node.items()}
    return [_with(value, known) for value in node] if isinstance(node, list) else node


def _change_settings(documents: Documents, old: str, new: str) -> None:
    value = resource(documents, ROOT, "Settings")["Value"]
    value["Fn::Sub"] = value["Fn::Sub"].replace(old, new)


def _change_sign_in(documents: Documents, output: str, old: str, new: str, *, existing: bool = False) -> None:
    branches = documents[DATABASE]["Outputs"][output]["Value"]["Fn::If"]
    if existing:
        branches[2]["Fn::Sub"] = branches[2]["Fn::Sub"].replace(old, new)
    else:
        branches[1]["Fn::Sub"][0] = branches[1]["Fn::Sub"][0].replace(old, new)


@rule(
    lambda documents: _change_settings(documents, "PHOTOFLEET_HOSTS", "PHOTOFLEET_HOST"),
    lambda documents: _change_settings(documents, "PHOTOFLEET_TOPIC_ARN", "#"),
    lambda documents: _change_settings(documents, "PHOTOFLEET_LABEL_QUEUE_URL", "PHOTOFLEET_RESIZE_QUEUE_URL"),
    lambda documents: _change_settings(documents, "${DatabaseStack.Outputs.WorkerSettings}", ""),
    lambda documents: _change_settings(documents, "PHOTOFLEET_HOSTS=", "PHOTOFLEET_HOSTS"),
    lambda documents: _change_sign_in(documents, "WebSettings", "_IAM", "_TOKEN"),
    lambda documents: resource(documents, ROOT, "WebStack")["Parameters"].update(
        Settings={"Fn::GetAtt": ["DatabaseStack", "Outputs.WebSettings"]}
    ),
    lambda documents: resource(documents, ROOT, "WebStack")["Parameters"]["Settings"]["Fn::Join"][1].append(
        "\nPHOTOFLEET_DATABASE_URL=postgresql://host/photofleet"
    ),
)
def the_service_is_told_existing_settings_and_all_that_it_needs(documents: Documents) -> Iterator[str]:
    known = {variable(name) for name in Settings.model_fields}
    needed = {variable(name) for name, field in Settings.model_fields.items() if field.is_required()}
    for kind, stack, text in _told(documents):
        names = [name for name, _, _ in _parts(text)]
        yield from (f"{stack}: there is no setting {name}." for name in sorted(set(names) - known))
        yield from (f"{stack} is not told {name} with {kind}." for name in sorted(needed - set(names)))
        yield from (f"{stack} is told {name} twice with {kind}." for name in set(names) if names.count(name) > 1)
        for name, _, value in _parts(text):
            if not re.fullmatch(r"[A-Z_]+", name) or not value or value != value.strip():
                yield f"{stack}: {name}={value} is no line of an env file."


@rule(
    lambda documents: _change_settings(documents, "${Renditions}", "w320 320"),
    lambda documents: _change_settings(documents, "PHOTOFLEET_RENDITIONS=", "PHOTOFLEET_RENDITION="),
)
def every_tier_is_told_which_renditions_there_are(documents: Documents) -> Iterator[str]:
    for kind, stack, text in _told(documents):
        if f"{variable('renditions')}=${{Renditions}}" not in text.splitlines():
            yield f"{stack} is not told the renditions that the root declares, with {kind}."


@rule(
    lambda documents: _change_sign_in(documents, "WebSettings", "photofleet_web", "photofleet_worker"),
    lambda documents: _change_sign_in(documents, "WorkerSettings", "photofleet_worker@", ""),
    lambda documents: _change_sign_in(documents, "WorkerSettings", "IAM=true", "IAM=false"),
    lambda documents: _change_sign_in(documents, "WorkerSettings", "verify-full", "require"),
    lambda documents: _change_sign_in(documents, "WorkerSettings", "//", "//us:password@", existing=True),
    lambda documents: _change_sign_in(documents, "WebSettings", "database-ca", "ca", existing=True),
    lambda documents: _change_sign_in(documents, "WebSettings", "SECRET=", "SECRET=x"),
    lambda documents: resource(documents, ROOT, "ResizeStack")["Parameters"].update(
        Settings=resource(documents, ROOT, "WebStack")["Parameters"]["Settings"]
    ),
    lambda documents: resource(documents, DATABASE, "WorkerPolicy")["PolicyDocument"]["Statement"][0]["Fn::If"][1][
        "Resource"
    ]["Fn::Sub"].__setitem__(0, "arn:aws:rds-db:::dbuser:${Id}/photofleet_web"),
)
def each_tier_signs_in_to_a_verified_database_as_itself_and_only_the_web_tier_as_its_owner(
    documents: Documents,
) -> Iterator[str]:
    for kind, stack, text in _told(documents):
        told = {name: value for name, _, value in _parts(text)}
        url = make_url(told.get(URL, "postgresql://"))
        is_new = kind != "an existing database"
        if dict(url.query) != VERIFIED:
            yield f"{stack} may give its token or password to anybody who takes the place of {kind}."
        if (url.username, url.password) != (USERS[stack] if is_new else None, None):
            yield f"{stack} signs in to {kind} as {url.username}, or with a password that everybody can read."
        if told.get(IAM) != ("true" if is_new else None):
            yield f"{stack} signs in to {kind} with tokens, or without, and should not."
        if told.get(OWNERS_SECRET) != (OWNERS[kind] if stack == "WebStack" or not is_new else None):
            yield f"{stack} is told of the secret {told.get(OWNERS_SECRET)} with {kind}."
    for stack, user in USERS.items():
        policy = "WebPolicy" if stack == "WebStack" else "WorkerPolicy"
        statement = resource(documents, DATABASE, policy)["PolicyDocument"]["Statement"][0]["Fn::If"][1]
        if not statement["Resource"]["Fn::Sub"][0].endswith(f":dbuser:${{Id}}/{user}"):
            yield f"{policy} lets {stack} make no token for {user}."


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
