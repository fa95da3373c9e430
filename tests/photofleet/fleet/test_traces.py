"""The real templates replayed: each fleet as the root stack starts it, against queues that are hard on it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from photofleet.fleet.groups import Group, read_groups
from photofleet.fleet.simulation import World, simulate
from photofleet.fleet.template import load_template, resolve
from photofleet.fleet.timeline import Change, Timeline

TEMPLATES = Path(__file__).parents[3] / "cloudformation"
SPOT, ON_DEMAND = "SpotGroup", "OnDemandGroup"
GROUP_METRICS = {"GroupDesiredCapacity", "GroupInServiceInstances"}
BURST = ((1.0, 100_000),)


@cache
def read(name: str) -> Mapping[str, Any]:
    return load_template(TEMPLATES / name)


@dataclass(frozen=True)
class Fleet:
    """One instance of workers.yaml, and the time in seconds that its instances take to boot."""

    parameters: Mapping[str, str]
    boot_seconds: float

    @property
    def slots(self) -> int:
        return int(self.parameters["SlotsPerInstance"])

    @property
    def task_seconds(self) -> float:
        return float(self.parameters["SecondsPerTask"])

    @property
    def backlog_per_instance(self) -> float:
        """What one instance works off within the acceptable latency."""
        return int(self.parameters["LatencySeconds"]) * self.slots / self.task_seconds

    @property
    def max_spot(self) -> int:
        return int(self.parameters["MaxSpotInstances"])

    def groups(self, **parameters: str) -> tuple[Group, ...]:
        return read_groups(resolve(read("workers.yaml"), {**self.parameters, **parameters}))

    def replay(self, minutes: int, arrivals: tuple[tuple[float, int], ...], **world: Any) -> Timeline:
        conditions = {
            "queue_name": self.parameters["QueueName"],
            "arrivals": arrivals,
            "slots": self.slots,
            "task_seconds": self.task_seconds,
            "boot_seconds": self.boot_seconds,
            **world,
        }
        return simulate(self.groups(), World(**conditions), minutes)


def read_fleet(stack: str, boot_seconds: float, **parameters: str) -> Fleet:
    """A fleet with the parameters that the root stack gives it when nothing but the required ones is chosen."""
    chosen = {
        "Environment": "production",
        "DomainName": "photos.example.com",
        "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/1",
        "AlarmEmail": "operators@example.com",
    }
    root = resolve(read("photofleet.yaml"), {**chosen, **parameters})
    return Fleet(root["Resources"][stack]["Properties"]["Parameters"], boot_seconds)


@pytest.fixture(
    params=[
        pytest.param(("ResizeStack", 90, {}), id="resize"),
        pytest.param(("LabelStack", 90, {"LabelAccelerator": "cpu"}), id="label on cpu"),
        pytest.param(("LabelStack", 240, {"LabelAccelerator": "gpu"}), id="label on gpu"),
    ]
)
def fleet(request: pytest.FixtureRequest) -> Fleet:
    stack, boot_seconds, parameters = request.param
    return read_fleet(stack, boot_seconds, **parameters)


def changes(timeline: Timeline, group: str) -> list[Change]:
    return [change for change in timeline.changes if change.group == group]


def peak(timeline: Timeline, group: str) -> int:
    return max(row.groups[group].in_service for row in timeline.rows)


def comes_back_to_zero(timeline: Timeline, photos: int) -> bool:
    end = timeline.rows[-1]
    nothing = all(size.desired == size.in_service == size.draining == 0 for size in end.groups.values())
    return end.finished == photos and nothing


def turns(timeline: Timeline, group: str) -> int:
    """How often the group, having grown, shrinks or the other way round."""
    grows = [change.after > change.before for change in changes(timeline, group)]
    return sum(one != other for one, other in pairwise(grows))


@pytest.mark.parametrize("late", [0, 60, 120])
def test_an_empty_group_wakes_within_two_periods_of_the_photo_being_known(fleet: Fleet, late: int) -> None:
    timeline = fleet.replay(60, ((1.0, 1),), queue_delay=late, group_delay=late)

    first = timeline.changes[0]
    assert (first.group, first.before, first.after) == (SPOT, 0, 1)
    assert first.time <= 120 + late
    assert changes(timeline, ON_DEMAND) == []
    assert comes_back_to_zero(timeline, photos=1)


@pytest.mark.parametrize(("queue_late", "group_late"), [(0, 0), (60, 60), (120, 120), (120, 0), (0, 120)])
def test_a_burst_reaches_its_target_size_and_comes_back_to_zero(fleet: Fleet, queue_late: int, group_late: int) -> None:
    timeline = fleet.replay(90, BURST, queue_delay=queue_late, group_delay=group_late)

    assert peak(timeline, SPOT) == min(fleet.max_spot, ceil(100_000 / fleet.backlog_per_instance))
    assert comes_back_to_zero(timeline, photos=100_000)
    assert turns(timeline, SPOT) == 1
    assert turns(timeline, ON_DEMAND) <= 1


def test_a_group_without_a_low_limit_grows_to_what_its_backlog_needs_and_no_further(fleet: Fleet) -> None:
    world = World(fleet.parameters["QueueName"], BURST, fleet.slots, fleet.task_seconds, fleet.boot_seconds)
    timeline = simulate(fleet.groups(MaxSpotInstances="1000"), world, 90)

    grown = next(change for change in changes(timeline, SPOT) if change.before == 1)
    needed = ceil(grown.visible / fleet.backlog_per_instance)
    assert needed <= grown.after <= ceil(100_000 / fleet.backlog_per_instance)
    assert peak(timeline, SPOT) == grown.after
    assert comes_back_to_zero(timeline, photos=100_000)


def steady(photos: int, minutes: int, start: float = 0) -> tuple[tuple[float, int], ...]:
    """So many photos in each second."""
    return tuple((start + second, photos) for second in range(minutes * 60))


def shrunk_too_far(fleet: Fleet, timeline: Timeline) -> list[Change]:
    """Where instances were ended that the work needed: what was left of the Spot group could not hold all of it.

    On-Demand instances are not needed where the Spot instances in service can hold it.
    """
    found = []
    for change in timeline.changes:
        spot = [row.groups[SPOT].in_service for row in timeline.rows if row.time < change.time][-1:]
        left = change.after if change.group == SPOT else spot[0]
        if change.after < change.before and change.visible + change.in_flight > left * fleet.slots:
            found.append(change)
    return found


def nothing_lost(metric: str, minute: int) -> bool:
    return False


def group_metrics_lost(metric: str, minute: int) -> bool:
    return metric in GROUP_METRICS and 10 <= minute < 25


def desired_capacity_lost(metric: str, minute: int) -> bool:
    return metric == "GroupDesiredCapacity" and 10 <= minute < 25


def queue_metrics_lost(metric: str, minute: int) -> bool:
    return metric not in GROUP_METRICS and 10 <= minute < 25


def every_third_lost(metric: str, minute: int) -> bool:
    return minute < 45 and (minute + len(metric)) % 3 == 0


@pytest.mark.parametrize(
    ("lost", "late"),
    [
        (nothing_lost, 0),
        (nothing_lost, 120),
        (group_metrics_lost, 0),
        (desired_capacity_lost, 60),
        (queue_metrics_lost, 60),
        (every_third_lost, 60),
    ],
)
def test_a_group_whose_workers_are_busy_is_never_shrunk(
    fleet: Fleet, lost: Callable[[str, int], bool], late: int
) -> None:
    two_instances = int(2 * fleet.slots / fleet.task_seconds)
    arrivals = ((1.0, int(fleet.backlog_per_instance * 4)), *steady(two_instances, minutes=30, start=60))
    timeline = fleet.replay(70, arrivals, queue_delay=late, group_delay=late, lost=lost)

    assert shrunk_too_far(fleet, timeline) == []
    assert peak(timeline, SPOT) > 2
    assert comes_back_to_zero(timeline, sum(photos for _, photos in arrivals))


@pytest.mark.parametrize("photos", [1, 4, 8])
def test_instances_wait_for_tasks_of_an_hour(fleet: Fleet, photos: int) -> None:
    timeline = fleet.replay(150, ((1.0, photos),), task_seconds=3600.0)

    assert shrunk_too_far(fleet, timeline) == []
    assert changes(timeline, SPOT)[-1].in_flight == 0
    assert comes_back_to_zero(timeline, photos)


def test_a_group_that_a_burst_has_left_too_large_shrinks_to_what_a_trickle_needs(fleet: Fleet) -> None:
    burst = int(fleet.backlog_per_instance * 20)
    timeline = fleet.replay(120, ((1.0, burst), *steady(1, minutes=90, start=60)))

    row = next(row for row in timeline.rows if row.time == 80 * 60)
    assert row.groups[SPOT].desired <= 2
    assert shrunk_too_far(fleet, timeline) == []
    assert turns(timeline, SPOT) == 1
    assert comes_back_to_zero(timeline, burst + 5400)


def test_the_last_instance_stays_while_photos_come_every_few_minutes(fleet: Fleet) -> None:
    timeline = fleet.replay(150, tuple((300.0 * index + 7, 1) for index in range(24)))

    assert [(change.before, change.after) for change in timeline.changes] == [(0, 1), (1, 0)]
    assert comes_back_to_zero(timeline, 24)


@pytest.mark.parametrize("late", [0, 60, 120])
def test_a_cold_queue_whose_metrics_are_late_still_wakes(fleet: Fleet, late: int) -> None:
    timeline = fleet.replay(60, ((1.0, 1),), cold=True, queue_delay=late, group_delay=late)

    first = timeline.changes[0]
    assert first.group == SPOT
    assert first.time <= 15 * 60 + 60 + 120 + late
    assert comes_back_to_zero(timeline, 1)


def test_an_empty_spot_market_spills_to_on_demand_within_minutes(fleet: Fleet) -> None:
    photos = int(fleet.backlog_per_instance * 4)
    timeline = fleet.replay(120, ((1.0, photos),), spot_capacity=lambda now: 0)

    latency, most = (int(fleet.parameters[name]) for name in ("LatencySeconds", "MaxOnDemandInstances"))
    assert peak(timeline, SPOT) == 0
    assert changes(timeline, ON_DEMAND)[0].time <= latency + 10 * 60
    assert peak(timeline, ON_DEMAND) == most
    assert comes_back_to_zero(timeline, photos)


def test_one_photo_is_done_though_no_spot_instance_ever_comes(fleet: Fleet) -> None:
    timeline = fleet.replay(60, ((1.0, 1),), spot_capacity=lambda now: 0)

    assert comes_back_to_zero(timeline, 1)


def test_photos_are_done_though_no_spot_instance_lives_long_enough_to_boot(fleet: Fleet) -> None:
    timeline = fleet.replay(90, ((1.0, 3),), spot_capacity=lambda now: 1 if now % 120 < 60 else 0)
    assert comes_back_to_zero(timeline, 3)


def test_a_spot_market_that_empties_in_the_middle_and_fills_again_loses_nothing(fleet: Fleet) -> None:
    timeline = fleet.replay(150, BURST, spot_capacity=lambda now: 0 if 720 <= now < 1800 else 100)

    assert min(row.groups[SPOT].in_service for row in timeline.rows if 800 <= row.time < 1800) == 0
    assert peak(timeline, ON_DEMAND) > 0
    assert comes_back_to_zero(timeline, 100_000)


@pytest.mark.parametrize("seed", range(3))
def test_what_comes_at_random_is_done_without_ending_instances_that_it_needs(fleet: Fleet, seed: int) -> None:
    chance = random.Random(seed)
    bursts = sorted((chance.uniform(0, 5400), chance.choice([1, 3, 50, 3000])) for _ in range(chance.randint(5, 40)))
    market = [chance.choice([0, 1, 100, 100]) for _ in range(24)]
    lost = {minute for minute in range(180) if chance.random() < 0.2}
    timeline = fleet.replay(
        180,
        tuple(bursts),
        spot_capacity=lambda now: market[int(now // 600) % 24] if now < 7200 else 100,
        group_delay=chance.choice([0, 60, 120]),
        lost=lambda metric, minute: metric in GROUP_METRICS and minute in lost,
    )

    assert comes_back_to_zero(timeline, sum(photos for _, photos in bursts))
    assert shrunk_too_far(fleet, timeline) == []
