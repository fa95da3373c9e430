"""The stack of the database on the embedded AWS, which runs no database: what it asks for, and who may sign in."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloudformation.conftest import ClientWith, Launch, RootClient

NEW = {"Engine": "postgres", "InstanceClass": "db.t4g.medium", "StorageGigabytes": "50", "BackupDays": "14"}


@pytest.fixture(scope="module")
def network(root: RootClient) -> dict[str, str]:
    """Subnets and a security group, as parameters."""
    ec2 = root("ec2")
    return {
        "SubnetIds": ",".join(subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]),
        "SecurityGroupId": ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"],
    }


@pytest.fixture(scope="module")
def secret(root: RootClient) -> str:
    """The ARN of a secret with the password of a database that was there before."""
    secrets = root("secretsmanager")
    arn: str = secrets.create_secret(Name="existing-database", SecretString='{"username": "us", "password": "x"}')[
        "ARN"
    ]
    return arn


@pytest.fixture(scope="module")
def existing(launch: Launch, network: Mapping[str, str], secret: str) -> dict[str, str]:
    """The outputs of a stack for a database that was there before."""
    return launch("database", Name="existing", Host="db.example.com", SecretArn=secret, **NEW, **network)


def test_for_an_existing_database_nothing_is_made(root: RootClient, existing: Mapping[str, str], secret: str) -> None:
    rds = root("rds")
    assert (rds.describe_db_instances()["DBInstances"], rds.describe_db_clusters()["DBClusters"]) == ([], [])
    assert [existing["InstanceId"], existing["ClusterId"]] == ["", ""]


@pytest.mark.parametrize("output", ["WebSettings", "WorkerSettings"])
def test_all_sign_in_to_an_existing_database_with_its_secret(
    existing: Mapping[str, str], secret: str, output: str
) -> None:
    assert existing[output].splitlines() == [
        "PHOTOFLEET_DATABASE_URL=postgresql://db.example.com:5432/photofleet"
        "?sslmode=verify-full&sslrootcert=/etc/photofleet/database-ca.pem",
        f"PHOTOFLEET_DATABASE_SECRET={secret}",
    ]


@pytest.mark.parametrize("policy", ["WebPolicyArn", "WorkerPolicyArn"])
def test_a_tier_reads_the_secret_of_an_existing_database_and_no_other(
    root: RootClient, existing: Mapping[str, str], client_with: ClientWith, secret: str, policy: str
) -> None:
    stranger = f"of-somebody-else-{policy}"
    root("secretsmanager").create_secret(Name=stranger, SecretString="{}")
    secrets: Any = client_with(existing[policy], "secretsmanager")
    assert secrets.get_secret_value(SecretId=secret)["SecretString"]
    with pytest.raises(ClientError, match="AccessDenied"):
        secrets.get_secret_value(SecretId=stranger)
    with pytest.raises(ClientError, match="AccessDenied"):
        secrets.put_secret_value(SecretId=secret, SecretString="{}")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Host": "db.example.com", "SecretArn": ""}, "With Host, SecretArn must name the secret"),
        ({"Host": "", "SecretArn": "arn:aws:secretsmanager:us-east-1:000000000000:secret:x"}, "name its host in Host"),
        ({"Engine": "aurora-postgresql", "InstanceClass": "db.t4g.micro"}, "Aurora's smallest classes"),
        ({"BackupDays": "6"}, "must be between 7 and 35"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused_before_anything_is_made(
    launch: Launch, network: Mapping[str, str], changes: Mapping[str, str], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason):
        launch("database", **{"Name": "refused", "Host": "", "SecretArn": "", **NEW, **network, **changes})
