"""An alarm's states; the tables are those of CloudWatch's documentation.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html. There `0` is a point that
does not breach, `X` one that does, and `-` one that is missing.
"""

import pytest

from photofleet.fleet.alarms import Alarm, Query, State, Treatment
from photofleet.fleet.metric_math import Series

POINTS = {"0": 0.0, "X": 1.0, "-": None}
CURRENT = State.OK, State.ALARM, State.INSUFFICIENT_DATA
OK, ALARM, INSUFFICIENT, RETAINED = State.OK, State.ALARM, State.INSUFFICIENT_DATA, None


def alarm(datapoints: int, periods: int, missing: Treatment, comparison: str = "GreaterThanThreshold") -> Alarm:
    return Alarm("Alarm", Query({}, {}, ""), periods, datapoints, 0.5, comparison, missing, ())


def series(text: str) -> Series:
    return tuple(POINTS[point] for point in text.split())


@pytest.mark.parametrize(
    ("datapoints", "text", "missing", "ignore", "breaching", "not_breaching"),
    [
        (3, "0 - X - X", OK, OK, OK, OK),
        (3, "0 - - - -", OK, OK, OK, OK),
        (3, "- - - - -", INSUFFICIENT, RETAINED, ALARM, OK),
        (3, "0 X X - X", ALARM, ALARM, ALARM, ALARM),
        (3, "- - X - -", ALARM, RETAINED, ALARM, OK),
        (3, "- - - - X", INSUFFICIENT, RETAINED, ALARM, OK),
        (3, "X - - - -", ALARM, RETAINED, ALARM, OK),
        (2, "0 - X - X", ALARM, ALARM, ALARM, ALARM),
        (2, "0 0 X 0 X", ALARM, ALARM, ALARM, ALARM),
        (2, "0 - X - -", OK, OK, ALARM, OK),
        (2, "- - - - 0", OK, OK, ALARM, OK),
        (2, "- - - X -", ALARM, RETAINED, ALARM, OK),
        (2, "- - - - X", INSUFFICIENT, RETAINED, ALARM, OK),
    ],
)
def test_missing_points_count_as_the_alarm_says(
    datapoints: int, text: str, missing: State, ignore: State | None, breaching: State, not_breaching: State
) -> None:
    for current in CURRENT:
        points = series(text)
        assert alarm(datapoints, 3, "missing").evaluate(points, current) == missing
        assert alarm(datapoints, 3, "ignore").evaluate(points, current) == (ignore or current)
        assert alarm(datapoints, 3, "breaching").evaluate(points, current) == breaching
        assert alarm(datapoints, 3, "notBreaching").evaluate(points, current) == not_breaching


def test_a_point_beyond_the_evaluation_range_is_forgotten() -> None:
    assert alarm(3, 3, "breaching").evaluate(series("0 - - - - -"), State.OK) == State.ALARM


@pytest.mark.parametrize(("text", "state"), [("X 0 0", OK), ("0 0 X", ALARM), ("0 X 0", ALARM), ("X X 0", ALARM)])
def test_some_of_several_points_are_enough(text: str, state: State) -> None:
    assert alarm(1, 2, "missing").evaluate(series(text), State.OK) == state


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanThreshold", [False, False, True]),
        ("GreaterThanOrEqualToThreshold", [False, True, True]),
        ("LessThanThreshold", [True, False, False]),
        ("LessThanOrEqualToThreshold", [True, True, False]),
    ],
)
def test_a_threshold_is_compared_with(comparison: str, breaching: list[bool]) -> None:
    assert [alarm(1, 1, "missing", comparison).breaches(point) for point in (0.4, 0.5, 0.6)] == breaching
