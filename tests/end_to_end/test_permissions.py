"""Every tier is allowed what it does, and nothing that it does not do."""

import json
from collections.abc import Callable, Iterator, Mapping
from configparser import ConfigParser
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
import yaml

from photofleet.images.formats import Format
from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from tests.end_to_end.conftest import Service, photofleet
from tests.photofleet.broker.conftest import eventually
from tests.pictures import corners, encode, noise

TIERS = ("web", "resize", "label", "operator")
POLICIES = ("AWS::IAM::ManagedPolicy", "AWS::IAM::Role")
ROLES = {"web.yaml": ("web",), "workers.yaml": ("resize", "label"), "photofleet.yaml": ("operator",)}
"""Templates with the roles themselves, and whose they are."""

OTHERS = ("images.yaml", "pipeline.yaml")
"""Templates whose policies belong to no tier."""

SEND_WHAT_IS_FOREIGN = """
import boto3, os
boto3.client("sns").publish(TopicArn=os.environ["PHOTOFLEET_TOPIC_ARN"], Message="foreign")
"""

GIVE_UP = """
from sqlalchemy import update
from photofleet.catalog.database import transaction
from photofleet.catalog.models import FAILED, Stage
from photofleet.catalog.stages import GAVE_UP
with transaction() as session:
    session.execute(update(Stage).where(Stage.name == "resize").values(state=FAILED, error=GAVE_UP))
"""

PRUNE = "from photofleet.broker.control import prune_mailboxes; print(prune_mailboxes(patience_s=2))"


@dataclass(frozen=True)
class Permission:
    """An action, or a pattern of several, that a policy in a template allows."""

    template: str
    policy: str
    line: int
    action: str
    is_explained: bool

    def __str__(self) -> str:
        return f"{self.template}:{self.line}: {self.action}"


@pytest.fixture(scope="module")
def settings(local_service: Service) -> Mapping[str, str]:
    """The environment of a program of the service."""
    return dict(line.split("=", 1) for line in operate(local_service, "env").splitlines() if "=" in line)


@pytest.fixture(scope="module")
def aws(local_service: Service, settings: Mapping[str, str]) -> EmbeddedAWS:
    """The AWS of the service."""
    return EmbeddedAWS(local_service.state / "aws", urlsplit(settings["AWS_ENDPOINT_URL"]).port or 0)


@pytest.fixture(scope="module")
def root(aws: EmbeddedAWS) -> Mapping[str, str]:
    """The environment of the account's root user."""
    return aws.client_environment()


@pytest.fixture(scope="module")
def calls(
    local_service: Service,
    aws: EmbeddedAWS,
    root: Mapping[str, str],
    settings: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[dict[str, Any]]:
    """What has been asked for when everything has been done that tiers are there for, with the name of the tier."""
    sqs = stacks.client(root, "sqs")
    good = tmp_path_factory.mktemp("photos") / "good.jpg"
    good.write_bytes(encode(corners(), Format.JPEG))
    bad = good.with_name("bad.jpg")
    whole = encode(noise(640, 480, "permissions"), Format.JPEG)
    bad.write_bytes(whole[: len(whole) // 2])  # its header is there, which is all that an upload looks at
    photo = local_service.upload(good).json()
    assert local_service.upload(bad).status == HTTPStatus.CREATED
    operate(local_service, "python", "-c", SEND_WHAT_IS_FOREIGN)
    photos = "/api/v1/photos"
    eventually(lambda: all(photo["finished"] for photo in local_service.get(photos)["photos"]), 90)
    eventually(lambda: [queue["dead_letters"] for queue in status(local_service)] == [1, 1], 90)

    operate(local_service, "python", "-c", GIVE_UP)
    announcement = json.dumps([[], {"photo_id": photo["id"], "request_id": "r1"}, {}])
    letter = json.dumps({"headers": {"task": "photofleet.photo_uploaded"}, "body": announcement})
    sqs.send_message(QueueUrl=settings["PHOTOFLEET_RESIZE_DEAD_LETTER_URL"], MessageBody=letter)
    operate(local_service, "photofleet", "dlq", "show", "resize")
    operate(local_service, "photofleet", "dlq", "redrive", "resize")
    operate(local_service, "photofleet", "dlq", "purge", "resize", "--yes")
    operate(local_service, "celery", "-A", "workers", "inspect", "ping")

    gone = f"{settings['PHOTOFLEET_CONTROL_PREFIX']}-node-resize_gone"
    sqs.create_queue(QueueName=gone)
    assert gone in operate(local_service, "python", "-c", PRUNE)
    assert urllib3.request("GET", f"{local_service.address}/ops").status == HTTPStatus.OK
    return [call | {"tier": tier} for tier in TIERS for call in local_service.calls() if call["key"] == key(aws, tier)]


def operate(service: Service, *words: str) -> str:
    done = photofleet("exec", "--state", str(service.state), *words)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def status(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(operate(service, "photofleet", "status", "--json"))["queues"]
    return found


def key(aws: EmbeddedAWS, tier: str) -> str:
    kept = ConfigParser()
    kept.read(aws.identities.environment(tier)["AWS_SHARED_CREDENTIALS_FILE"], encoding="utf-8")
    return kept["default"]["aws_access_key_id"]


@pytest.fixture(scope="module")
def holders(local_service: Service, root: Mapping[str, str]) -> Callable[[Permission], set[str]]:
    """A function that names the tiers which have a permission."""
    iam = stacks.client(root, "iam")
    attached = {
        tier: [
            policy["PolicyName"]
            for policy in iam.list_attached_user_policies(UserName=f"photofleet-{tier}")["AttachedPolicies"]
        ]
        for tier in TIERS
    }

    def find(permission: Permission) -> set[str]:
        if permission.template in ROLES:
            return set(ROLES[permission.template])
        stack = permission.template.removesuffix(".yaml").title()
        return {
            tier
            for tier, names in attached.items()
            if any(f"-{stack}Stack-" in name and f"-{permission.policy}-" in name for name in names)
        }

    return find


def permissions() -> Iterator[Permission]:
    """What the templates allow the tiers, read as text, as comments count."""
    for path in sorted(Path(str(files("cloudformation"))).glob("*.yaml")):
        if path.name not in OTHERS:
            text = path.read_text(encoding="utf-8")
            resources = value(yaml.compose(text), "Resources")
            for name, resource in resources.value:
                if value(resource, "Type").value in POLICIES:
                    yield from _permissions(path.name, name.value, text.splitlines(), value(resource, "Properties"))


def _permissions(template: str, policy: str, lines: list[str], properties: Any) -> Iterator[Permission]:
    documents = [value(properties, "PolicyDocument")]
    documents += [value(inline, "PolicyDocument") for inline in getattr(value(properties, "Policies"), "value", ())]
    for statement in (
        found for document in documents if document for found in statements(value(document, "Statement"))
    ):
        actions = value(statement, "Action")
        for action in actions.value if isinstance(actions, yaml.SequenceNode) else [actions]:
            above = {lines[node.start_mark.line - 1].lstrip()[:1] for node in (statement, action)}
            yield Permission(template, policy, action.start_mark.line + 1, action.value, "#" in above)


def statements(node: Any) -> Iterator[Any]:
    """The statements of a document, with those that stand in an !If."""
    for item in node.value:
        if isinstance(item, yaml.SequenceNode):
            yield from statements(item)
        elif isinstance(item, yaml.MappingNode):
            yield item


def value(mapping: Any, key: str) -> Any:
    return next((node for name, node in mapping.value if name.value == key), None)


def test_no_tier_asks_for_what_it_is_not_allowed(calls: list[dict[str, Any]]) -> None:
    assert {call["tier"] for call in calls} == set(TIERS)
    refused = {(call["tier"], call["action"]) for call in calls if not call["allowed"]}
    assert not refused


def test_a_policy_allows_nothing_that_nobody_asks_for_who_has_it_unless_a_comment_says_why(
    calls: list[dict[str, Any]], holders: Callable[[Permission], set[str]]
) -> None:
    found = list(permissions())
    held = {permission: holders(permission) for permission in found}
    assert all(held.values()), "Nobody has these."

    def is_used(permission: Permission) -> bool:
        return any(fnmatchcase(call["action"], permission.action) for call in calls if call["tier"] in held[permission])

    idle = [str(permission) for permission in found if not permission.is_explained and not is_used(permission)]
    assert not idle, "\n".join(idle)
