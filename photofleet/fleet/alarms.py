"""When a CloudWatch alarm changes its state: data points, a threshold, and what the alarm makes of missing points.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from photofleet.fleet.metric_math import Series, evaluate

Treatment = Literal["missing", "ignore", "breaching", "notBreaching"]
Dimensions = tuple[tuple[str, str], ...]


class State(StrEnum):
    """What an alarm says."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}

# CloudWatch looks further back than it evaluates, to have real points in place of missing ones. How far is documented
# by example only: 5 periods for 3.
LOOK_BACK = 2


@dataclass(frozen=True)
class Metric:
    """A metric of CloudWatch, and the statistic of it that is asked for."""

    namespace: str
    name: str
    dimensions: Dimensions
    statistic: str
    period: int


@dataclass(frozen=True)
class Query:
    """Metrics and expressions by their ids, in the order of their use, and the id of the one that counts."""

    metrics: Mapping[str, Metric]
    expressions: Mapping[str, str]
    result: str

    def evaluate(self, fetch: Callable[[Metric], Series]) -> Series:
        """The data points that count, computed from those that `fetch` returns for each metric."""
        series = {key: fetch(metric) for key, metric in self.metrics.items()}
        for key, expression in self.expressions.items():
            series[key] = evaluate(expression, series)
        return series[self.result]


@dataclass(frozen=True)
class Alarm:
    """An alarm on a metric or on an expression; `actions` name what it invokes in every minute in state ALARM."""

    name: str
    query: Query
    evaluation_periods: int
    datapoints_to_alarm: int
    threshold: float
    comparison: str
    missing: Treatment
    actions: tuple[str, ...]

    @property
    def evaluation_range(self) -> int:
        """How many periods CloudWatch looks at."""
        return self.evaluation_periods + LOOK_BACK

    def breaches(self, point: float) -> bool:
        """Whether one data point is outside of the threshold."""
        return COMPARISONS[self.comparison](point, self.threshold)

    def evaluated(self, points: Series) -> tuple[float, ...]:
        """The real points, the newest last, that the alarm's state is decided from."""
        real = tuple(point for point in points[-self.evaluation_range :] if point is not None)
        return real[-self.evaluation_periods :]

    def evaluate(self, points: Series, state: State) -> State:
        """The alarm's next state, from its recent data points, the newest last.

        Enough real points within the evaluation range decide alone. Otherwise missing points are filled in, as few as
        needed, and real ones all count. Points that all breach, the oldest long enough ago, raise the alarm even if
        missing ones count for nothing.
        """
        window = points[-self.evaluation_range :]
        real = self.evaluated(points)
        filled = self.evaluation_periods - len(real)
        breaching = sum(map(self.breaches, real))
        if breaching + (filled if self.missing == "breaching" else 0) >= self.datapoints_to_alarm:
            return State.ALARM
        if not filled or breaching < len(real) or self.missing in {"breaching", "notBreaching"}:
            return State.OK
        if self.missing == "ignore":
            return state
        oldest = next((len(window) - index for index, point in enumerate(window) if point is not None), 0)
        return State.ALARM if oldest >= self.datapoints_to_alarm else State.INSUFFICIENT_DATA
