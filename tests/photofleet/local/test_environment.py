import os
from pathlib import Path

import boto3
import pytest

from photofleet.local.aws import EmbeddedAWS
from photofleet.local.environment import keep_to_this_machine, service_environment

pytestmark = pytest.mark.usefixtures("restored_environment")
SETTINGS = {
    "PHOTOFLEET_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:topic",
    "PHOTOFLEET_ORIGINALS_BUCKET": "originals",
    "PHOTOFLEET_RENDITIONS_URL": "https://d111.cloudfront.net",
    "PHOTOFLEET_HOSTS": "photos.example.com",
    "PHOTOFLEET_DATABASE_URL": "postgresql://127.0.0.1:5432/photofleet?sslmode=verify-full",
    "PHOTOFLEET_DATABASE_IAM": "true",
    "PHOTOFLEET_DATABASE_SECRET": "arn:aws:secretsmanager:us-east-1:000000000000:secret:database",
}


def test_the_developers_own_aws_account_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a real one")
    keep_to_this_machine()
    assert "AWS_SESSION_TOKEN" not in os.environ
    assert boto3.Session().available_profiles == []
    assert boto3.Session().get_credentials() is None


@pytest.mark.parametrize("name", ["PGHOSTADDR", "PGSSLMODE", "PGOPTIONS", "PGSERVICE"])
def test_the_developers_own_postgresql_is_out_of_reach(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "of theirs")
    keep_to_this_machine()
    assert name not in os.environ


def test_no_proxy_is_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "intranet.example")
    keep_to_this_machine()
    assert "127.0.0.1" in os.environ["no_proxy"].split(",")
    assert "127.0.0.1" in os.environ["NO_PROXY"].split(",")


def test_the_service_finds_everything_of_the_local_cloud(tmp_path: Path) -> None:
    aws = EmbeddedAWS(tmp_path, 4577)
    environment = service_environment(aws, SETTINGS, "postgresql+psycopg://somewhere")
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4577"
    assert environment["PHOTOFLEET_DATABASE_URL"] == "postgresql+psycopg://somewhere"
    assert environment["PHOTOFLEET_RENDITIONS_URL"] == "http://127.0.0.1:4577/_cloudfront/d111"
    assert environment["PHOTOFLEET_HOSTS"] == "127.0.0.1,localhost"
    assert environment["PHOTOFLEET_TOPIC_ARN"] == SETTINGS["PHOTOFLEET_TOPIC_ARN"]
    assert environment["PHOTOFLEET_ORIGINALS_BUCKET"] == SETTINGS["PHOTOFLEET_ORIGINALS_BUCKET"]


def test_the_service_is_told_neither_who_the_root_user_is_nor_how_instances_sign_in(tmp_path: Path) -> None:
    environment = service_environment(EmbeddedAWS(tmp_path, 4577), SETTINGS, "postgresql+psycopg://somewhere")
    assert not [name for name in environment if "ACCESS_KEY" in name or name.endswith(("_IAM", "_SECRET"))]


def test_what_the_stack_says_nothing_about_is_left_to_the_developers_environment(tmp_path: Path) -> None:
    settings = SETTINGS | {"PHOTOFLEET_RENDITIONS": ""}
    environment = service_environment(EmbeddedAWS(tmp_path, 4577), settings, "postgresql+psycopg://somewhere")
    assert "PHOTOFLEET_RENDITIONS" not in environment
