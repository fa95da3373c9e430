"""Launching the stack on the embedded AWS, with what takes the place of what an account brings."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from photofleet.stack import Clients, StackError
from photofleet.stack.launch import Launch
from photofleet.stack.packaging import templates
from photofleet.stack.parameters import parse
from photofleet.stack.stacks import describe, outputs

NAME = "photofleet"
_SECRET = "photofleet-local-database"  # noqa: S105 - its name
_TIERS = ("web", "resize", "label")
# Nothing boots from it: no instance is started here.
_IMAGE = "ami-0123456789abcdef0"
_POLL_SECONDS = 0.1


def launch(environment: Mapping[str, str], database_url: str) -> dict[str, str]:
    """Bring the stack up to date on the AWS that `environment` names, and return what `launched` does.

    Calling it again changes nothing.

    Raises:
        StackError: AWS refused the stack or one of its resources.
    """
    clients = clients_of(environment)
    try:
        parameters = parse((templates() / "parameters" / "local.json").read_text(encoding="utf-8"), "local.json")
        parameters |= {
            "CertificateArn": _certificate(clients, parameters["DomainName"]),
            "DatabaseHost": urlsplit(database_url).hostname or "",
            "DatabaseSecretArn": _database_secret(clients, database_url),
        }
        for tier in _TIERS:
            _machine_image(clients, f"/photofleet/images/{tier}")
        Launch(clients, poll_seconds=_POLL_SECONDS).run(NAME, parameters)
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"The stack {NAME} was refused. {error}") from error
    return launched(environment)


def launched(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the outputs of the stack, and those of nested stacks that no other has.

    Raises:
        StackError: it was not launched.
    """
    cloudformation = clients_of(environment)("cloudformation")
    root = describe(cloudformation, NAME)
    if root is None:
        raise StackError(f"There is no stack {NAME}.")
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    stacks = [stack for page in pages for stack in page["Stacks"]]
    nested = [outputs(stack) for stack in stacks if stack["StackName"].startswith(f"{NAME}-")]
    counts = Counter(key for found in nested for key in found)
    return {key: value for found in nested for key, value in found.items() if counts[key] == 1} | outputs(root)


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the stack says to its instances: the lines of the parameter that they read as they boot."""
    found = clients_of(environment)("ssm").get_parameter(Name=f"/{NAME}/settings")["Parameter"]["Value"]
    return dict(line.split("=", 1) for line in found.splitlines() if line)


def client(environment: Mapping[str, str], service: str = "cloudformation") -> Any:
    """Return a boto3 client of the AWS that `environment` names."""
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        # An AWS on this machine answers at once or is being stopped.
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2),
    )


def clients_of(environment: Mapping[str, str]) -> Clients:
    """Return what makes clients of the AWS that `environment` names, each once."""
    return cache(lambda service: client(environment, service))


def _certificate(clients: Clients, domain: str) -> str:
    acm = clients("acm")
    found: Sequence[Mapping[str, str]] = acm.list_certificates()["CertificateSummaryList"]
    arns = [certificate["CertificateArn"] for certificate in found if certificate["DomainName"] == domain]
    arn: str = arns[0] if arns else acm.request_certificate(DomainName=domain, ValidationMethod="DNS")["CertificateArn"]
    return arn


def _database_secret(clients: Clients, database_url: str) -> str:
    """Return the ARN of a secret as RDS keeps one for a database of its own."""
    address = urlsplit(database_url)
    content = {
        "username": address.username,
        "password": address.password,
        "host": address.hostname,
        "port": address.port,
        "dbname": address.path.removeprefix("/"),
    }
    secrets, text = clients("secretsmanager"), json.dumps(content)
    try:
        found = secrets.get_secret_value(SecretId=_SECRET)
    except secrets.exceptions.ResourceNotFoundException:
        found = secrets.create_secret(Name=_SECRET, SecretString=text)
    else:
        if found["SecretString"] != text:
            secrets.put_secret_value(SecretId=_SECRET, SecretString=text)
    arn: str = found["ARN"]
    return arn


def _machine_image(clients: Clients, name: str) -> None:
    ssm = clients("ssm")
    try:
        ssm.get_parameter(Name=name)
    except ssm.exceptions.ParameterNotFound:
        ssm.put_parameter(Name=name, Value=_IMAGE, Type="String", DataType="aws:ec2:image")
