"""What CloudWatch holds of the metrics that are published to it once a minute, and what it answers when asked."""

from collections.abc import Callable, Mapping, Sequence

from photofleet.fleet.alarms import Dimensions, Metric
from photofleet.fleet.metric_math import Series

MINUTE = 60

STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Average": lambda points: sum(points) / len(points),
    "Maximum": max,
    "Minimum": min,
    "Sum": sum,
}


class MetricStore:
    """Points by metric and minute; those of a namespace become known with its delay, in seconds."""

    def __init__(self, delays: Mapping[str, int]) -> None:
        self.delays = delays
        self.points: dict[tuple[str, str, Dimensions], dict[int, float]] = {}

    def publish(self, namespace: str, name: str, dimension: tuple[str, str], minute: int, value: float | None) -> None:
        """Keep a metric's point of a minute; None is a minute without one."""
        points = self.points.setdefault((namespace, name, (dimension,)), {})
        if value is not None:
            points[minute] = float(value)

    def fetch(self, metric: Metric, now: float, periods: int) -> Series:
        """The statistic over each of the last periods that end at `now`, the newest last; None where no point is known.

        Periods slide with the minute of the question, as alarms see them.
        """
        key = (metric.namespace, metric.name, metric.dimensions)
        if key not in self.points:
            dimensions = ", ".join(f"{name} {value}" for name, value in metric.dimensions)
            raise ValueError(f"Nothing publishes the metric {metric.namespace} {metric.name} of {dimensions}.")
        points, delay = self.points[key], self.delays.get(metric.namespace, 0)
        known = int((now - delay) // MINUTE)
        size, last = metric.period // MINUTE, int(now // MINUTE)
        series = []
        for start in range(last - periods * size, last, size):
            window = [points[minute] for minute in range(start, min(start + size, known)) if minute in points]
            series.append(STATISTICS[metric.statistic](window) if window else None)
        return tuple(series)
