"""Who the programs are to the embedded AWS, which enforces what they may do."""

import stat
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import boto3
import pytest

from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.identities import OPERATOR, ROLES, Identities
from tests.refusals import is_allowed

LIST_QUEUES = """{
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}]
}"""


@pytest.fixture
def outputs(aws: EmbeddedAWS, cloud: Mapping[str, str]) -> Mapping[str, str]:
    return stacks.launched(aws.client_environment())


@pytest.fixture
def identities(aws: EmbeddedAWS, outputs: Mapping[str, str], tmp_path: Path) -> Iterator[Identities]:
    identities = Identities(tmp_path / "identities")
    identities.prepare(aws.client_environment(), outputs)
    yield identities
    iam = stacks.client(aws.client_environment(), "iam")
    for tier in ROLES:
        user = f"photofleet-{tier}"
        for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])


def _credentials(identities: Identities, tier: str) -> dict[str, str]:
    file = ConfigParser()
    file.read(identities.environment(tier)["AWS_SHARED_CREDENTIALS_FILE"], encoding="utf-8")
    return dict(file["default"])


def _client(aws: EmbeddedAWS, identities: Identities, tier: str, service: str) -> Any:
    return boto3.client(service, endpoint_url=aws.endpoint, region_name="us-east-1", **_credentials(identities, tier))


@pytest.mark.parametrize(
    ("tier", "allowed"),
    [("web", {"announce", "upload"}), ("resize", {"resize"}), ("label", {"label"}), (OPERATOR, {"announce"})],
)
def test_each_tier_may_do_its_own_work_and_nobody_elses(
    aws: EmbeddedAWS, outputs: Mapping[str, str], identities: Identities, tier: str, allowed: set[str]
) -> None:
    sqs, sns, s3 = (_client(aws, identities, tier, service) for service in ("sqs", "sns", "s3"))
    original = {"Bucket": outputs["OriginalsBucket"], "Key": "originals/0199-test"}
    may = {
        "announce": is_allowed(sns.publish, TopicArn=outputs["TopicArn"], Message="{}"),
        "upload": is_allowed(s3.put_object, **original, Body=b"a photo"),
        "resize": is_allowed(sqs.receive_message, QueueUrl=outputs["ResizeQueueUrl"]),
        "label": is_allowed(sqs.receive_message, QueueUrl=outputs["LabelQueueUrl"]),
        "make queues": is_allowed(sqs.create_queue, QueueName="a-queue-of-its-own"),
    }
    assert {work for work, is_allowed in may.items() if is_allowed} == allowed


def test_keys_are_kept_across_starts_and_their_owners_alone(
    aws: EmbeddedAWS, outputs: Mapping[str, str], identities: Identities
) -> None:
    before = {tier: _credentials(identities, tier) for tier in ROLES}
    identities.prepare(aws.client_environment(), outputs)
    assert {tier: _credentials(identities, tier) for tier in ROLES} == before
    assert len({kept["aws_access_key_id"] for kept in before.values()}) == len(ROLES)
    for tier in ROLES:
        file = Path(identities.environment(tier)["AWS_SHARED_CREDENTIALS_FILE"])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", ["", "[default]\n", "[default]\naws_access_key_id = AKIAOTHER\n"])
def test_a_key_that_was_lost_is_made_anew(
    aws: EmbeddedAWS, outputs: Mapping[str, str], identities: Identities, damage: str
) -> None:
    file = Path(identities.environment("resize")["AWS_SHARED_CREDENTIALS_FILE"])
    file.write_text(damage, encoding="utf-8")
    identities.prepare(aws.client_environment(), outputs)
    sqs = _client(aws, identities, "resize", "sqs")
    assert is_allowed(sqs.receive_message, QueueUrl=outputs["ResizeQueueUrl"])


def test_what_a_role_may_no_longer_do_its_user_may_not_either(
    aws: EmbeddedAWS, outputs: Mapping[str, str], identities: Identities
) -> None:
    iam = stacks.client(aws.client_environment(), "iam")
    iam.put_user_policy(UserName="photofleet-label", PolicyName="Old", PolicyDocument=LIST_QUEUES)
    iam.attach_user_policy(UserName="photofleet-label", PolicyArn=outputs["ResizeWorkPolicyArn"])
    identities.prepare(aws.client_environment(), outputs)
    sqs = _client(aws, identities, "label", "sqs")
    assert not is_allowed(sqs.receive_message, QueueUrl=outputs["ResizeQueueUrl"])
    assert "Old" not in iam.list_user_policies(UserName="photofleet-label")["PolicyNames"]
