"""What CloudWatch answers of metrics that were published once a minute."""

import pytest

from photofleet.fleet.alarms import Metric
from photofleet.fleet.metric_store import MetricStore


def store(delay: int = 0) -> MetricStore:
    """Minutes 0 to 5: 1, 2, nothing, 4, 5, 6."""
    metrics = MetricStore({"AWS/SQS": delay})
    for minute, value in enumerate([1, 2, None, 4, 5, 6]):
        metrics.publish("AWS/SQS", "Waiting", ("QueueName", "photos"), minute, value)
    return metrics


def metric(statistic: str = "Maximum", period: int = 60, queue: str = "photos") -> Metric:
    return Metric("AWS/SQS", "Waiting", (("QueueName", queue),), statistic, period)


def test_a_minute_without_a_point_is_missing() -> None:
    assert store().fetch(metric(), now=360, periods=5) == (2, None, 4, 5, 6)


def test_there_are_no_points_before_the_first() -> None:
    assert store().fetch(metric(), now=120, periods=4) == (None, None, 1, 2)


@pytest.mark.parametrize(
    ("statistic", "expected"), [("Maximum", (2, 6)), ("Minimum", (1, 4)), ("Average", (1.5, 5)), ("Sum", (3, 15))]
)
def test_the_points_of_a_period_are_aggregated(statistic: str, expected: tuple[float, ...]) -> None:
    assert store().fetch(metric(statistic, period=180), now=360, periods=2) == expected


def test_periods_slide_with_the_minute_of_the_question() -> None:
    assert store().fetch(metric(period=180), now=300, periods=1) == (5,)


def test_points_that_are_late_are_missing_until_they_are_known() -> None:
    assert store(delay=120).fetch(metric(), now=360, periods=3) == (4, None, None)
    assert store(delay=90).fetch(metric(), now=360, periods=3) == (4, None, None)


def test_a_metric_that_nothing_publishes_is_no_gap_but_an_error() -> None:
    with pytest.raises(ValueError, match="Nothing publishes the metric AWS/SQS Waiting of QueueName other"):
        store().fetch(metric(queue="other"), now=60, periods=1)
