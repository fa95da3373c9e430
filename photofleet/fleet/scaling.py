"""What a scaling policy makes of a group's capacity: target tracking and step scaling of EC2 Auto Scaling.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scale-based-on-demand.html (several policies at once)
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-default-instance-warmup.html
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from photofleet.fleet.alarms import Alarm, Query

Adjustment = Literal["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"]

AGGREGATIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "Average": lambda points: sum(points) / len(points),
    "Maximum": max,
    "Minimum": min,
}


@dataclass(frozen=True)
class Capacity:
    """How large a group is and may be, in instances.

    `current` counts those in service that have warmed up; `warming` says whether any is still to come or to warm up.
    """

    desired: int
    current: int
    terminating: int
    warming: bool
    minimum: int
    maximum: int


@dataclass(frozen=True)
class TargetTracking:
    """Keeps a metric at or below its target by adding instances in proportion.

    Only the half that scales out is here: the templates disable the other.
    """

    name: str
    query: Query
    target: float

    @property
    def alarm(self) -> Alarm:
        """The alarm that Auto Scaling makes for the policy: above the target for three minutes."""
        return Alarm(
            name=f"{self.name}-AlarmHigh",
            query=self.query,
            evaluation_periods=3,
            datapoints_to_alarm=3,
            threshold=self.target,
            comparison="GreaterThanThreshold",
            missing="missing",
            actions=(self.name,),
        )

    def propose(self, alarm: Alarm, points: Sequence[float], capacity: Capacity) -> int:
        """The capacity that the newest point asks for, rounded up; never less than what is desired.

        In proportion to what has warmed up, as AWS documents. Counting instances that the metric does not know of yet
        would add as many again for the same backlog.
        """
        return max(capacity.desired, math.ceil(capacity.current * points[-1] / self.target))


@dataclass(frozen=True)
class Step:
    """How to adjust the capacity when the metric is this far from the threshold; None is infinity."""

    lower: float | None
    upper: float | None
    adjustment: int


@dataclass(frozen=True)
class StepScaling:
    """Adjusts the capacity by how far the metric is beyond the alarm's threshold."""

    name: str
    adjustment_type: Adjustment
    steps: tuple[Step, ...]
    aggregation: str
    minimum_magnitude: int

    def propose(self, alarm: Alarm, points: Sequence[float], capacity: Capacity) -> int:
        """The capacity that the policy asks for, from the points that the alarm evaluated.

        Growing, instances that warm up are no base to add to but count as added; shrinking, those that terminate still
        count, so that alarms that repeat neither add nor remove twice.
        """
        breach = AGGREGATIONS[self.aggregation](points) - alarm.threshold
        above = alarm.comparison.startswith("Greater")
        step = next((step for step in self.steps if _within(step, breach, above)), None)
        if step is None:
            return capacity.desired
        if self.adjustment_type == "ExactCapacity":
            return step.adjustment
        if step.adjustment >= 0:
            return max(capacity.desired, capacity.current + self._change(step.adjustment, capacity.current))
        base = capacity.desired + capacity.terminating
        return min(capacity.desired, base + self._change(step.adjustment, base))

    def _change(self, adjustment: int, base: int) -> int:
        """Percentages are rounded towards zero, but a part of one instance counts as one."""
        if self.adjustment_type == "ChangeInCapacity":
            return adjustment
        share = abs(base * adjustment) / 100
        size = max(self.minimum_magnitude, math.floor(share) if share > 1 else math.ceil(share))
        return size if adjustment > 0 else -size


def _within(step: Step, breach: float, above: bool) -> bool:
    """Above the threshold a step holds its lower bound and not its upper; below it is the other way round."""
    lower = -math.inf if step.lower is None else step.lower
    upper = math.inf if step.upper is None else step.upper
    return lower <= breach < upper if above else lower < breach <= upper


Policy = TargetTracking | StepScaling


def decide(capacity: Capacity, proposals: Iterable[int]) -> int:
    """The desired capacity after policies that were invoked together.

    The largest proposal wins, within the group's limits, and no policy shrinks a group while instances come or warm up.
    """
    desired = min(capacity.maximum, max(capacity.minimum, max(proposals, default=capacity.desired)))
    return capacity.desired if capacity.warming and desired < capacity.desired else desired
