"""Templates launched one by one, and clients that may do only what one of their policies allows."""

import json
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import Any

import boto3
import pytest
from botocore.config import Config

from photofleet.local.aws import EmbeddedAWS

Launch = Callable[..., dict[str, str]]
RootClient = Callable[[str], Any]
ClientWith = Callable[[str, str], Any]


def connect(service: str, environment: Mapping[str, str], **credentials: str) -> Any:
    """Return a client of the AWS that `environment` names, for who has the credentials."""
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        config=Config(retries={"total_max_attempts": 1}),
        **credentials,
    )


@pytest.fixture(scope="session")
def root(aws: EmbeddedAWS) -> RootClient:
    """A function that returns a client of a service for the account's root user, whom no policy concerns."""
    keys = {name.lower(): value for name, value in aws.credentials().items()}
    return lambda service: connect(service, aws.address(), **keys)


@pytest.fixture(scope="module")
def launch(root: RootClient) -> Iterator[Launch]:
    """A function that launches a template by itself, with parameters, and returns its outputs."""
    cloudformation = root("cloudformation")
    launched: list[str] = []

    def create(template: str, **parameters: str) -> dict[str, str]:
        name = f"only-{template}-{len(launched)}"
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=files("cloudformation").joinpath(f"{template}.yaml").read_text(encoding="utf-8"),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        launched.append(name)
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}

    yield create
    for name in launched:
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )


@pytest.fixture(scope="module")
def client_with(aws: EmbeddedAWS, root: RootClient) -> Iterator[ClientWith]:
    """A function that returns a client, of a service, for somebody who has one policy, by its ARN, and nothing else."""
    iam = root("iam")
    keys: dict[str, Mapping[str, str]] = {}

    def client(policy_arn: str, service: str) -> Any:
        if policy_arn not in keys:
            user = policy_arn.rsplit("/", 1)[-1]
            iam.create_user(UserName=user)
            iam.attach_user_policy(UserName=user, PolicyArn=policy_arn)
            keys[policy_arn] = iam.create_access_key(UserName=user)["AccessKey"]
        key = keys[policy_arn]
        return connect(
            service,
            aws.address(),
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )

    yield client
    for policy_arn, key in keys.items():
        iam.delete_access_key(UserName=key["UserName"], AccessKeyId=key["AccessKeyId"])
        iam.detach_user_policy(UserName=key["UserName"], PolicyArn=policy_arn)
        iam.delete_user(UserName=key["UserName"])


@pytest.fixture(scope="module")
def policies(root: RootClient, cloud: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """The statements of every managed policy of the service, by the policy's ARN."""
    iam = root("iam")
    found: dict[str, list[dict[str, Any]]] = {}
    for page in iam.get_paginator("list_policies").paginate(Scope="Local"):
        for policy in page["Policies"]:
            version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
            document = version["PolicyVersion"]["Document"]
            found[policy["Arn"]] = (json.loads(document) if isinstance(document, str) else document)["Statement"]
    return found
