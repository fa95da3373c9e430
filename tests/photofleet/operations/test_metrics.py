"""The log lines as CloudWatch reads them, by its specification of the embedded metric format."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from photofleet.catalog.models import Photo
from photofleet.housekeeping import log_metrics
from photofleet.logs import configure_logging
from photofleet.operations import metrics
from photofleet.operations.status import QueueStatus, Status
from photofleet.settings import get_settings
from tests.photofleet.broker.queues import Queues

Lines = Callable[..., io.StringIO]

UNITS = {"Seconds", "Count", "None"} | {f"{unit}/Second" for unit in ("Count", "Bytes")}
"""Those of CloudWatch's units that numbers of queues can have; there is none per minute."""

STATUS = Status(
    taken_at=datetime(2026, 11, 22, 0, 0, 1, 500_000, tzinfo=UTC),
    queues=(QueueStatus("resize", 3, 2, 61.5, 0.4, 1), QueueStatus("label", 0, 0, None, 0.0, 0)),
    failures=(),
    workers=None,
    workers_error=None,
)


@pytest.fixture
def logged(root_logging: None, change_settings: Callable[..., None]) -> Iterator[Lines]:
    """A function that returns what is logged from then on, in a format."""

    def start(log_format: str) -> io.StringIO:
        change_settings(log_format=log_format)
        configure_logging(get_settings())
        (handler,) = logging.getLogger().handlers
        assert isinstance(handler, logging.StreamHandler)
        stream = io.StringIO()
        handler.setStream(stream)
        return stream

    return start


def metrics_in(line: dict[str, Any]) -> Iterator[tuple[str, dict[str, str], str, str, float]]:
    """What CloudWatch makes of a line: namespace, dimensions, name, unit and value of each metric."""
    metadata = line["_aws"]
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    assert type(metadata["Timestamp"]) is int
    for directive in metadata["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 0 < len(directive["Metrics"]) <= 100
        for names in directive["Dimensions"]:
            assert 0 < len(names) <= 30
            dimensions = {name: line[name] for name in names}
            assert all(isinstance(value, str) and 0 < len(value) <= 1024 for value in dimensions.values())
            for definition in directive["Metrics"]:
                assert set(definition) == {"Name", "Unit"}
                assert definition["Unit"] in UNITS
                value = line[definition["Name"]]
                assert type(value) in (int, float)
                yield directive["Namespace"], dimensions, definition["Name"], definition["Unit"], value


def test_each_queue_is_a_line_of_which_cloudwatch_makes_metrics(logged: Lines) -> None:
    stream = logged("json")

    metrics.emit(STATUS)

    resize, label = map(json.loads, stream.getvalue().splitlines())
    assert resize["_aws"]["Timestamp"] == 1795305601500
    queue_name = get_settings().resize_queue_url.rsplit("/", 1)[-1]
    dimensions = {"Stage": "resize", "QueueName": queue_name}
    assert list(metrics_in(resize)) == [
        ("Photofleet", dimensions, "Waiting", "Count", 3),
        ("Photofleet", dimensions, "InFlight", "Count", 2),
        ("Photofleet", dimensions, "OldestAge", "Seconds", 61.5),
        ("Photofleet", dimensions, "FinishedPerMinute", "Count", 0.4),
        ("Photofleet", dimensions, "DeadLetters", "Count", 1),
    ]
    assert {value for *_, value in metrics_in(label)} == {0}, "an alarm needs a number where nothing waits"
    assert resize["logger"] == "photofleet.operations.metrics"
    assert resize["message"] == "the resize queue"


def test_text_logs_stay_readable(queues: Queues, logged: Lines) -> None:
    stream = logged("text")

    log_metrics()

    assert stream.getvalue() == ""


def test_the_real_numbers_are_logged(queues: Queues, give_up: Callable[..., Photo], logged: Lines) -> None:
    give_up()
    stream = logged("json")

    log_metrics()

    resize, _ = map(json.loads, stream.getvalue().splitlines())
    assert {name: value for *_, name, _, value in metrics_in(resize)}["DeadLetters"] == 1
    assert resize["Stage"] == "resize"
