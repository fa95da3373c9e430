from collections.abc import Mapping
from pathlib import Path

import pytest

from photofleet.settings import Settings, SettingsError, read_settings, variable

README = Path(__file__).parents[2] / "README.md"

VALID = {
    "PHOTOFLEET_DATABASE_URL": "postgresql://user:hunter2@localhost/photofleet",
    "PHOTOFLEET_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:photos",
    "PHOTOFLEET_RESIZE_QUEUE_URL": "http://localhost/resize",
    "PHOTOFLEET_RESIZE_DEAD_LETTER_URL": "http://localhost/resize-dead",
    "PHOTOFLEET_CONTROL_PREFIX": "photofleet-control",
    "PHOTOFLEET_LABEL_QUEUE_URL": "http://localhost/label",
    "PHOTOFLEET_LABEL_DEAD_LETTER_URL": "http://localhost/label-dead",
    "PHOTOFLEET_ORIGINALS_BUCKET": "originals",
    "PHOTOFLEET_RENDITIONS_BUCKET": "renditions",
    "PHOTOFLEET_RENDITIONS_URL": "https://d111.cloudfront.net",
}

SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:database"  # noqa: S105 - its name
VERIFIED = "host/photofleet?sslmode=verify-full&sslrootcert=ca.pem"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    for name, value in VALID.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def complaint(environment: pytest.MonkeyPatch, changes: Mapping[str, str | None]) -> str:
    for name, value in changes.items():
        if value is None:
            environment.delenv(name)
        else:
            environment.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        read_settings()
    return str(raised.value)


def test_settings_come_from_the_environment_or_from_their_defaults(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PHOTOFLEET_LABEL_LIMIT", "7")

    settings = read_settings()

    assert settings.label_limit == 7
    assert settings.upload_max_files == 50
    assert settings.originals_bucket == "originals"


def test_an_empty_variable_is_one_that_is_not_set(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PHOTOFLEET_LABEL_WEIGHTS", "")

    assert read_settings().label_weights is None


def test_every_missing_setting_is_named_with_what_it_is_for(environment: pytest.MonkeyPatch) -> None:
    message = complaint(environment, {"PHOTOFLEET_TOPIC_ARN": None, "PHOTOFLEET_ORIGINALS_BUCKET": None})

    assert "PHOTOFLEET_TOPIC_ARN: is not set. The SNS topic" in message
    assert "PHOTOFLEET_ORIGINALS_BUCKET: is not set. The S3 bucket" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PHOTOFLEET_LABEL_THRESHOLD", "1.5"),
        ("PHOTOFLEET_UPLOAD_MAX_BYTES", "many"),
        ("PHOTOFLEET_LABEL_DEVICE", "tpu"),
        ("PHOTOFLEET_TOPIC_ARN", "photos"),
        ("PHOTOFLEET_DATABASE_SECRET", "database"),
        ("PHOTOFLEET_RENDITIONS_URL", "d111.cloudfront.net"),
    ],
)
def test_a_wrong_value_is_named_and_shown(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    message = complaint(environment, {name: value})

    assert f"{name}: " in message
    assert repr(value) in message


def test_a_secret_is_never_shown_in_a_complaint(environment: pytest.MonkeyPatch) -> None:
    message = complaint(environment, {"PHOTOFLEET_DATABASE_URL": "mysql://user:hunter2@localhost/photofleet"})

    assert "PHOTOFLEET_DATABASE_URL: must be a PostgreSQL address" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "address", ["photos", "postgresql://", "postgresql://host:port/photofleet", "postgresql://host"]
)
def test_an_address_that_names_no_database_is_refused(environment: pytest.MonkeyPatch, address: str) -> None:
    assert "PHOTOFLEET_DATABASE_URL: must be" in complaint(environment, {"PHOTOFLEET_DATABASE_URL": address})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"PHOTOFLEET_UPLOAD_MAX_BYTES": "600000000"}, "PHOTOFLEET_UPLOAD_MAX_BYTES is more than"),
        ({"PHOTOFLEET_LABEL_MODEL": "resnet50"}, "PHOTOFLEET_LABEL_WEIGHTS must name the file"),
        ({"PHOTOFLEET_DATABASE_URL": "postgresql://host/photofleet"}, "PHOTOFLEET_DATABASE_URL has no user"),
        ({"PHOTOFLEET_DATABASE_IAM": "true"}, "PHOTOFLEET_DATABASE_URL must have a user and no password"),
        (
            {"PHOTOFLEET_DATABASE_IAM": "true", "PHOTOFLEET_DATABASE_URL": "postgresql://host/photofleet"},
            "PHOTOFLEET_DATABASE_URL must have a user and no password",
        ),
        ({"PHOTOFLEET_DATABASE_SECRET": SECRET}, "PHOTOFLEET_DATABASE_URL must end with ?sslmode=verify-full"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    environment: pytest.MonkeyPatch, changes: dict[str, str | None], words: str
) -> None:
    message = complaint(environment, changes)

    assert words in message
    assert "hunter2" not in message


@pytest.mark.parametrize("query", ["", "?sslmode=require", "?sslmode=verify-ca", "?sslmode=verify-full&sslmode=allow"])
def test_a_token_goes_to_a_database_that_proves_its_name_and_to_no_other(
    environment: pytest.MonkeyPatch, query: str
) -> None:
    changes = {"PHOTOFLEET_DATABASE_URL": f"postgresql://us@host/photofleet{query}", "PHOTOFLEET_DATABASE_IAM": "true"}

    message = complaint(environment, changes)

    assert "PHOTOFLEET_DATABASE_URL must end with ?sslmode=verify-full with PHOTOFLEET_DATABASE_IAM" in message


@pytest.mark.parametrize(
    "changes",
    [
        {"PHOTOFLEET_DATABASE_URL": f"postgresql://us@{VERIFIED}", "PHOTOFLEET_DATABASE_IAM": "true"},
        {"PHOTOFLEET_DATABASE_URL": f"postgresql://{VERIFIED}", "PHOTOFLEET_DATABASE_SECRET": SECRET},
        {
            "PHOTOFLEET_DATABASE_URL": f"postgresql://us@{VERIFIED}",
            "PHOTOFLEET_DATABASE_IAM": "true",
            "PHOTOFLEET_DATABASE_SECRET": SECRET,
        },
    ],
    ids=["token", "secret", "token, and the owner's secret"],
)
def test_an_address_without_a_password_will_do_with(environment: pytest.MonkeyPatch, changes: dict[str, str]) -> None:
    for name, value in changes.items():
        environment.setenv(name, value)

    assert read_settings().database_secret == changes.get("PHOTOFLEET_DATABASE_SECRET")


def test_a_misspelt_setting_is_an_error_and_not_ignored(environment: pytest.MonkeyPatch) -> None:
    assert "PHOTOFLEET_LABEL_LIMITS: there is no such setting" in complaint(
        environment, {"PHOTOFLEET_LABEL_LIMITS": "3"}
    )


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_in_the_readme(name: str) -> None:
    assert f"`{variable(name)}`" in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_is_for_in_a_sentence(name: str) -> None:
    description = Settings.model_fields[name].description

    assert description
    assert description.endswith(".")
