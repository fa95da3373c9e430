"""Metric math over series with gaps; the tables are those of CloudWatch's documentation, `-` being a missing point.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import re

import pytest

from photofleet.fleet.expressions import ExpressionError
from photofleet.fleet.metric_math import Series, evaluate


def series(text: str) -> Series:
    return tuple(None if point == "-" else float(point) for point in text.split())


@pytest.mark.parametrize(
    ("expression", "result"),
    [("(metric1 < metric2)", "0 0 1 0"), ("(metric1 >= 30)", "1 0 0 0"), ("(metric1>15 AND metric2>15)", "1 0 0 0")],
)
def test_comparisons_take_a_missing_point_beside_a_real_one_for_0(expression: str, result: str) -> None:
    metrics = {"metric1": series("30 20 0 0"), "metric2": series("20 - 20 -")}

    assert evaluate(expression, metrics) == series(result)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("IF(metric1, metric2, metric3)", "30 0 20 - -"),
        ("IF(metric1, 5, metric3)", "5 5 20 - -"),
        ("IF(metric1, metric2, 5)", "30 0 5 5 -"),
        ("IF(metric1, metric2)", "30 0 - - -"),
        ("IF(1, metric2, metric3)", "30 0 0 0 30"),
        ("IF(0, metric2, metric3)", "0 0 20 - 20"),
        ("IF(metric2 < 30, 10, 2)", "2 - 10 10 2"),
        ("IF(-metric1, 1, 0)", "1 1 0 0 -"),
    ],
)
def test_if_chooses_point_by_point(expression: str, result: str) -> None:
    metrics = {"metric1": series("1 1 0 0 -"), "metric2": series("30 - 0 0 30"), "metric3": series("0 0 20 - 20")}

    assert evaluate(expression, metrics) == series(result)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("a + b", "3 1 2 -"),
        ("a - b", "-1 1 -2 -"),
        ("a * 2", "2 2 - -"),
        ("2 ^ a", "2 2 - -"),
        ("a / b", "0.5 - 0 -"),
        ("a / 0", "- - - -"),
        ("0 ^ -a", "- - - -"),
        ("(0 - a) ^ 0.5", "- - - -"),
        ("FILL(a, 7)", "1 1 7 7"),
        ("FILL(b, REPEAT)", "2 2 2 2"),
        ("FILL(FILL(late, REPEAT), 0)", "0 0 4 4"),
        ("FILL(a, b)", "1 1 2 -"),
        ("FILL(never, 0)", "0 0 0 0"),
        ("never + never", "- - - -"),
    ],
)
def test_missing_points_stay_missing_until_they_are_filled(expression: str, result: str) -> None:
    metrics = {
        "a": series("1 1 - -"),
        "b": series("2 - 2 -"),
        "late": series("- - 4 -"),
        "never": series("- - - -"),
    }

    assert evaluate(expression, metrics) == series(result)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("1 + 1", "the result is a number, not a time series"),
        ("a + 1 / 0", "a number is divided by zero"),
        ("IF(a)", "IF takes a condition"),
        ("IF(1, 2, 3)", "one of them is a time series"),
        ("FILL(a)", "FILL takes a time series and what to fill it with"),
        ("FILL(1, 0)", "the first argument of FILL must be a time series"),
        ("FILL(a, LINEAR)", "LINEAR needs the point after the gap"),
    ],
)
def test_what_has_no_meaning_is_refused(expression: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(problem)):
        evaluate(expression, {"a": (1.0, None)})


def test_series_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="the same number of periods"):
        evaluate("a + b", {"a": (1.0,), "b": (1.0, 2.0)})
