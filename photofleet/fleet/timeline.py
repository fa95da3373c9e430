"""What happened in a replay: how large queue and groups were each minute, and what the policies changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Size:
    """A group at the end of a minute, in instances."""

    desired: int
    pending: int
    in_service: int
    draining: int


@dataclass(frozen=True)
class Row:
    """The end of a minute; `finished` counts all photos since the start."""

    time: int
    visible: int
    in_flight: int
    oldest_age: float | None
    finished: int
    groups: Mapping[str, Size]


@dataclass(frozen=True)
class Change:
    """A change of a group's desired capacity, with the alarms that were in state ALARM."""

    time: int
    group: str
    before: int
    after: int
    visible: int
    in_flight: int
    alarms: tuple[str, ...]


@dataclass
class Timeline:
    """What happened."""

    rows: list[Row] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
