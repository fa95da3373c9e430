"""A queue of photos and the instances that work through it, exact to the task: who works on what until when."""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass
class Instance:
    """An instance of a group. Draining, it takes no new photo and ends with the last that it holds."""

    id: int
    group: str
    in_service_at: float
    draining: bool = False


class Slot(NamedTuple):
    """One of an instance's workers: free at a time, having worked on a photo that arrived at another."""

    free_at: float
    instance: int
    arrived: float


class Workload:
    """What waits, what is being worked on, and by which instances."""

    def __init__(self, arrivals: Iterable[tuple[float, int]], slots: int, task_seconds: float) -> None:
        self.coming = deque(arrivals)
        self.waiting: deque[tuple[float, int]] = deque()
        self.instances: dict[int, Instance] = {}
        self.slots_per_instance = slots
        self.task_seconds = task_seconds
        self.serving: list[Slot] = []
        self.leaving: list[Slot] = []
        self.started = 0
        self.launched = 0

    def launch(self, group: str, in_service_at: float) -> None:
        """Start an instance, whose slots take photos from when it is in service."""
        instance = Instance(self.launched, group, in_service_at)
        self.launched += 1
        self.instances[instance.id] = instance
        for _ in range(self.slots_per_instance):
            heapq.heappush(self.serving, Slot(in_service_at, instance.id, in_service_at))

    def drain(self, instance: Instance) -> None:
        """Let an instance finish what it holds, and take nothing more."""
        instance.draining = True
        self.leaving += [slot for slot in self.serving if slot.instance == instance.id]
        self.serving = [slot for slot in self.serving if slot.instance != instance.id]
        heapq.heapify(self.serving)

    def advance(self, now: float) -> None:
        """Work until `now`: the oldest photo goes to the slot that is free first."""
        while self.coming and self.coming[0][0] <= now:
            self.waiting.append(self.coming.popleft())
        while self.waiting and self.serving:
            arrived, count = self.waiting[0]
            start = max(self.serving[0].free_at, arrived)
            if start > now:
                break
            slot = Slot(start + self.task_seconds, self.serving[0].instance, arrived)
            heapq.heapreplace(self.serving, slot)
            self.started += 1
            if count == 1:
                self.waiting.popleft()
            else:
                self.waiting[0] = (arrived, count - 1)
        self._end_drained(now)

    def _end_drained(self, now: float) -> None:
        held = {slot.instance for slot in self.leaving if self._busy(slot, now)}
        self.instances = {
            key: instance for key, instance in self.instances.items() if not instance.draining or key in held
        }
        self.leaving = [slot for slot in self.leaving if slot.instance in held]

    def _busy(self, slot: Slot, now: float) -> bool:
        return slot.free_at > now >= self.instances[slot.instance].in_service_at

    def held(self, now: float) -> list[Slot]:
        """The slots that hold a photo: what is in flight."""
        return [slot for slot in (*self.serving, *self.leaving) if self._busy(slot, now)]

    @property
    def visible(self) -> int:
        """How many photos wait."""
        return sum(count for _, count in self.waiting)

    def oldest_age(self, now: float) -> float | None:
        """The age of the oldest photo that waits or is in flight, in seconds."""
        arrivals = [slot.arrived for slot in self.held(now)] + [arrived for arrived, _ in [*self.waiting][:1]]
        return now - min(arrivals) if arrivals else None
