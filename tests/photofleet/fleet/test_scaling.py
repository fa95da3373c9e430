"""What policies make of a group's capacity; the examples are those of EC2 Auto Scaling's documentation.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scale-based-on-demand.html
"""

from dataclasses import replace

import pytest

from photofleet.fleet.alarms import Alarm, Query
from photofleet.fleet.scaling import Adjustment, Capacity, Step, StepScaling, TargetTracking, decide

NOTHING = Query({}, {}, "")
HIGH = Alarm("High", NOTHING, 1, 1, 50, "GreaterThanThreshold", "missing", ())
LOW = replace(HIGH, name="Low", comparison="LessThanThreshold")
OUT = Step(0, 10, 0), Step(10, 20, 10), Step(20, None, 30)
IN = Step(-10, 0, 0), Step(-20, -10, -10), Step(None, -20, -30)


def steps(
    *steps: Step, kind: Adjustment = "PercentChangeInCapacity", aggregation: str = "Average", minimum: int = 0
) -> StepScaling:
    return StepScaling("Policy", kind, steps, aggregation, minimum)


def capacity(desired: int, current: int | None = None, *, terminating: int = 0, warming: bool = False) -> Capacity:
    return Capacity(desired, desired if current is None else current, terminating, warming, minimum=0, maximum=100)


@pytest.mark.parametrize(
    ("metric", "before", "after"),
    [(59.9, 10, 10), (60, 10, 11), (69.9, 10, 11), (70, 11, 14), (50, 10, 10), (500, 11, 14)],
)
def test_a_group_grows_by_how_far_the_metric_is_above(metric: float, before: int, after: int) -> None:
    assert steps(*OUT).propose(HIGH, [metric], capacity(before)) == after


@pytest.mark.parametrize(("metric", "before", "after"), [(40.1, 14, 14), (40, 14, 13), (30.1, 14, 13), (30, 13, 10)])
def test_a_group_shrinks_by_how_far_the_metric_is_below(metric: float, before: int, after: int) -> None:
    assert steps(*IN).propose(LOW, [metric], capacity(before)) == after


@pytest.mark.parametrize(("metric", "after"), [(62, 11), (70, 13)])
def test_instances_that_warm_up_count_as_added_and_not_as_a_base(metric: float, after: int) -> None:
    assert steps(*OUT).propose(HIGH, [metric], capacity(11, 10, warming=True)) == after


def test_instances_that_terminate_are_not_removed_twice() -> None:
    policy = steps(Step(None, 0, -2), kind="ChangeInCapacity")

    assert policy.propose(LOW, [0], capacity(8)) == 6
    assert policy.propose(LOW, [0], capacity(6, terminating=2)) == 6


@pytest.mark.parametrize(
    ("percent", "before", "after"),
    [(127, 10, 22), (6.7, 10, 11), (-5.8, 10, 9), (-66.7, 10, 4), (10, 0, 0), (0, 10, 10)],
)
def test_a_share_is_rounded_towards_zero_but_moves_one_instance(percent: int, before: int, after: int) -> None:
    step = Step(0, None, percent) if percent >= 0 else Step(None, 0, percent)
    alarm, metric = (HIGH, 51) if percent >= 0 else (LOW, 49)

    assert steps(step).propose(alarm, [metric], capacity(before)) == after


def test_a_share_moves_as_many_instances_as_the_minimum_says() -> None:
    assert steps(Step(0, None, 25), minimum=2).propose(HIGH, [51], capacity(4)) == 6


@pytest.mark.parametrize(("kind", "after"), [("ChangeInCapacity", 8), ("ExactCapacity", 5)])
def test_a_number_is_added_or_exact(kind: Adjustment, after: int) -> None:
    assert steps(Step(0, None, 5), kind=kind).propose(HIGH, [51], capacity(3)) == after


@pytest.mark.parametrize(("aggregation", "after"), [("Average", 3), ("Minimum", 3), ("Maximum", 9)])
def test_the_points_that_an_alarm_evaluated_are_aggregated(aggregation: str, after: int) -> None:
    policy = steps(Step(0, None, 9), kind="ExactCapacity", aggregation=aggregation)

    assert policy.propose(HIGH, [60, 0], capacity(3)) == after


@pytest.mark.parametrize(
    ("value", "now", "after"),
    [
        (75, capacity(2), 3),
        (100, capacity(2), 4),
        (101, capacity(2), 5),
        (50, capacity(2), 2),
        (10, capacity(9), 9),
        (1000, capacity(0), 0),
        (500, capacity(10, 1, warming=True), 10),
        (500, capacity(10, 2, warming=True), 20),
    ],
)
def test_target_tracking_grows_in_proportion_rounds_up_and_never_shrinks(
    value: float, now: Capacity, after: int
) -> None:
    policy = TargetTracking("Policy", NOTHING, target=50)

    assert policy.propose(policy.alarm, [value], now) == after


@pytest.mark.parametrize(
    ("now", "proposals", "after"),
    [
        (capacity(8), [9, 10], 10),
        (capacity(8), [5, 6], 6),
        (capacity(8), [8, 0], 8),
        (capacity(8), [], 8),
        (replace(capacity(2), maximum=3), [5], 3),
        (replace(capacity(3), minimum=2), [1], 2),
        (capacity(8, 6, warming=True), [0], 8),
        (capacity(8, 6, warming=True), [9], 9),
    ],
)
def test_the_largest_proposal_wins_within_the_limits_and_nothing_shrinks_in_warm_up(
    now: Capacity, proposals: list[int], after: int
) -> None:
    assert decide(now, proposals) == after
