from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy.orm import Session

from photofleet.catalog.stages import GAVE_UP, fail_stage
from photofleet.cli import main
from photofleet.settings import get_settings
from tests.photofleet.broker.queues import Queues
from tests.photofleet.catalog.factories import create_photo


def test_settings_are_printed_with_where_they_come_from_and_secrets_hidden(
    service: None, cloud: Mapping[str, str]
) -> None:
    result = CliRunner().invoke(main, ["settings"])

    assert result.exit_code == 0
    assert f"PHOTOFLEET_TOPIC_ARN = {cloud['PHOTOFLEET_TOPIC_ARN']}  (environment)" in result.output
    assert "PHOTOFLEET_UPLOAD_MAX_FILES = 50  (default)" in result.output
    assert "The most files accepted in one request." in result.output
    assert "PHOTOFLEET_DATABASE_URL = ***" in result.output
    assert cloud["PHOTOFLEET_DATABASE_URL"] not in result.output


def test_a_wrong_setting_is_named_without_a_traceback(service: None, monkeypatch: pytest.MonkeyPatch) -> None:
    get_settings.cache_clear()
    monkeypatch.setenv("PHOTOFLEET_LABEL_THRESHOLD", "high")
    try:
        result = CliRunner().invoke(main, ["settings"])
    finally:
        get_settings.cache_clear()

    assert result.exit_code == 1
    assert "PHOTOFLEET_LABEL_THRESHOLD: " in result.output
    assert "Traceback" not in result.output


def test_the_database_is_migrated_by_a_command(service: None, root_logging: None) -> None:
    result = CliRunner().invoke(main, ["migrate"])

    assert result.exit_code == 0
    assert result.output.endswith("The database is up to date.\n")


def test_one_sweep_says_what_it_did(session: Session, queues: Queues, root_logging: None) -> None:
    create_photo(session).uploaded_at = datetime.now(UTC) - timedelta(hours=1)
    session.commit()

    result = CliRunner().invoke(main, ["sweep", "--once"])

    assert result.exit_code == 0
    assert result.output.endswith("1 photos announced again.\n")
    assert queues.counts("RESIZE_QUEUE") == (1, 0)


def test_what_was_given_up_is_tried_again_on_demand(session: Session, root_logging: None) -> None:
    photo = create_photo(session)
    fail_stage(session, photo.id, "resize", GAVE_UP)
    session.commit()

    result = CliRunner().invoke(main, ["retry"])

    assert result.exit_code == 0
    assert "Photos to be tried again: 1." in result.output
    session.expire_all()
    assert {stage.state for stage in photo.stages} == {"waiting"}
