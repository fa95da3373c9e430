"""A template's groups replayed minute by minute against a queue: deterministic, and judging nothing itself.

Every minute the queue and the groups publish their metrics, CloudWatch evaluates the alarms, and Auto Scaling applies
the policies that these invoke. Where AWS leaves a choice, the simulation makes the harder one: scaling in hits the
busiest instance, and metrics may be late, may be lost, and are silent for a queue that has not been used for six hours.

A draining instance takes as long as its tasks do; a real one hands back what it cannot finish in two minutes.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from photofleet.fleet.alarms import State
from photofleet.fleet.groups import Group
from photofleet.fleet.metric_store import MINUTE, MetricStore
from photofleet.fleet.scaling import Capacity, decide
from photofleet.fleet.timeline import Change, Row, Size, Timeline
from photofleet.fleet.workload import Instance, Workload

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html: a queue
# is active for up to six hours after its last use, and its metrics may take 15 minutes to come back after that.
ACTIVE_SECONDS = 6 * 3600
REACTIVATION_SECONDS = 15 * MINUTE


@dataclass(frozen=True)
class World:
    """What a fleet meets with.

    Times are in seconds from the start. `arrivals` are times with numbers of photos, in order. `lost` says which
    metric's point of which minute never arrives; the delays are those of metrics that do.
    """

    queue_name: str
    arrivals: tuple[tuple[float, int], ...]
    slots: int
    task_seconds: float
    boot_seconds: float = 90
    spot_capacity: Callable[[float], int] = lambda now: 1_000_000
    queue_delay: int = 0
    group_delay: int = 0
    lost: Callable[[str, int], bool] = lambda metric, minute: False
    cold: bool = False


def simulate(groups: Iterable[Group], world: World, minutes: int) -> Timeline:
    """Replay a world for some minutes, with every group at its minimum at the start."""
    simulation = _Simulation(tuple(groups), world)
    for minute in range(minutes):
        simulation.run(minute)
    return simulation.timeline


class _Simulation:
    def __init__(self, groups: tuple[Group, ...], world: World) -> None:
        self.groups = groups
        self.world = world
        self.work = Workload(world.arrivals, world.slots, world.task_seconds)
        self.desired = {group.name: group.minimum for group in groups}
        self.states = {alarm.name: State.INSUFFICIENT_DATA for group in groups for alarm in group.alarms}
        self.store = MetricStore({"AWS/SQS": world.queue_delay, "AWS/AutoScaling": world.group_delay})
        self.last_use = -math.inf if world.cold else 0.0
        self.silent_until = 0.0
        self.received = 0
        self.timeline = Timeline()

    def run(self, minute: int) -> None:
        """One minute, up to its end."""
        now = (minute + 1) * MINUTE
        self.work.advance(now)
        self.publish_queue(minute, now)
        for group in self.groups:
            self.publish_group(group, minute, now)
        for group in self.groups:
            self.scale(group, now)
        for group in self.groups:
            self.launch_and_drain(group, now)
        sizes = {group.name: self.size(group, now) for group in self.groups}
        work = self.work
        in_flight = len(work.held(now))
        row = Row(now, work.visible, in_flight, work.oldest_age(now), work.started - in_flight, sizes)
        self.timeline.rows.append(row)

    def publish_queue(self, minute: int, now: float) -> None:
        """Metrics are there while the queue is active; but for what waits, only where there is something to count."""
        work, in_flight = self.work, len(self.work.held(now))
        received, self.received = work.started - self.received, work.started
        serving = any(instance.in_service_at <= now for instance in work.instances.values())
        if work.visible or in_flight or serving:
            if now - self.last_use > ACTIVE_SECONDS:
                self.silent_until = now + REACTIVATION_SECONDS
            self.last_use = now
        active = now - self.last_use <= ACTIVE_SECONDS and now >= self.silent_until
        metrics = {
            "ApproximateNumberOfMessagesVisible": work.visible,
            "ApproximateNumberOfMessagesNotVisible": in_flight or None,
            "ApproximateAgeOfOldestMessage": work.oldest_age(now),
            "NumberOfMessagesReceived": received or None,
        }
        for name, value in metrics.items():
            known = active and not self.world.lost(name, minute)
            dimension = ("QueueName", self.world.queue_name)
            self.store.publish("AWS/SQS", name, dimension, minute, value if known else None)

    def publish_group(self, group: Group, minute: int, now: float) -> None:
        """A group publishes what its MetricsCollection names."""
        size = self.size(group, now)
        metrics = {
            "GroupDesiredCapacity": size.desired,
            "GroupPendingInstances": size.pending,
            "GroupInServiceInstances": size.in_service,
            "GroupTerminatingInstances": size.draining,
            "GroupTotalInstances": size.pending + size.in_service + size.draining,
        }
        for name, value in metrics.items():
            known = name in group.collected and not self.world.lost(name, minute)
            dimension = ("AutoScalingGroupName", group.name)
            self.store.publish("AWS/AutoScaling", name, dimension, minute, value if known else None)

    def scale(self, group: Group, now: int) -> None:
        """Evaluate the alarms that invoke the group's policies, and apply those that are invoked.

        An alarm raised by missing points alone has no metric that a policy could measure, and scales nothing.
        """
        capacity = self.capacity(group, now)
        raised, proposals = [], []
        for alarm in group.alarms:
            fetch = partial(self.store.fetch, now=now, periods=alarm.evaluation_range)
            points = alarm.query.evaluate(fetch)
            self.states[alarm.name] = alarm.evaluate(points, self.states[alarm.name])
            evaluated = alarm.evaluated(points)
            if self.states[alarm.name] == State.ALARM and evaluated:
                raised.append(alarm.name)
                policies = (group.policies[action] for action in alarm.actions if action in group.policies)
                proposals += [policy.propose(alarm, evaluated, capacity) for policy in policies]
        desired = decide(capacity, proposals)
        if desired != capacity.desired:
            visible, in_flight = self.work.visible, len(self.work.held(now))
            change = Change(now, group.name, capacity.desired, desired, visible, in_flight, tuple(raised))
            self.timeline.changes.append(change)
            self.desired[group.name] = desired

    def launch_and_drain(self, group: Group, now: float) -> None:
        """Bring a group to its desired capacity, as far as the Spot market allows; the busiest instances go first."""
        active = [instance for instance in self.members(group) if not instance.draining]
        wanted = self.desired[group.name]
        if group.spot:
            wanted = min(wanted, self.world.spot_capacity(now))
        held = Counter(slot.instance for slot in self.work.held(now))
        active.sort(key=lambda instance: -held[instance.id])
        for instance in active[: max(0, len(active) - wanted)]:
            self.work.drain(instance)
        for _ in range(wanted - len(active)):
            self.work.launch(group.name, now + self.world.boot_seconds)

    def members(self, group: Group) -> list[Instance]:
        return [instance for instance in self.work.instances.values() if instance.group == group.name]

    def size(self, group: Group, now: float) -> Size:
        members = self.members(group)
        draining = sum(instance.draining for instance in members)
        pending = sum(not instance.draining and instance.in_service_at > now for instance in members)
        return Size(self.desired[group.name], pending, len(members) - draining - pending, draining)

    def capacity(self, group: Group, now: float) -> Capacity:
        """An instance that the market does not give is neither coming nor warming up: its launch has failed."""
        active = [instance for instance in self.members(group) if not instance.draining]
        warm = sum(instance.in_service_at + group.warmup <= now for instance in active)
        return Capacity(
            desired=self.desired[group.name],
            current=warm,
            terminating=self.size(group, now).draining,
            warming=warm < len(active),
            minimum=group.minimum,
            maximum=group.maximum,
        )
