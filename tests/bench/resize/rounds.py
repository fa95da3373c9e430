"""Rounds in which contestants do the same photos, and what is measured besides."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from tests.bench.resize.contestants import Contestant, Result, running
from tests.bench.resize.habits import habits
from tests.bench.resize.photos import Photo, warm_up_photo


@dataclass(frozen=True)
class Race:
    """What was seen of a contestant: the sums of each round, and the most memory that its process took."""

    rounds: tuple[Result, ...]
    peak_mb: float

    @property
    def cpu_s(self) -> float:
        """Of the median round."""
        return median(result.cpu_s for result in self.rounds)

    @property
    def bytes(self) -> int:
        """Of any round: they are all alike."""
        return self.rounds[0].bytes

    def cpu_ratio(self, other: "Race") -> float:
        """The CPU it takes for each second of another's, as the median round has it."""
        return median(own.cpu_s / its.cpu_s for own, its in zip(self.rounds, other.rounds, strict=True))


@dataclass(frozen=True)
class Look:
    """What was seen of a contestant's new processes: what its files are like, and what large photos add to them."""

    habits: str
    adds_mb: tuple[float, ...]


def look_at(name: str, command: Sequence[str], large: Sequence[Photo]) -> Look:
    """See what a contestant does with a small photo, and then how much memory each large one takes on top."""
    adds_mb = []
    for photo in large:
        with running(name, command) as contestant:
            found = habits(contestant, warm_up_photo())
            idle_mb = contestant.memory_mb
            contestant.do([photo], ["jpeg"])
            adds_mb.append(contestant.peak_mb - idle_mb)
    return Look(found, tuple(adds_mb))


@dataclass(frozen=True)
class Entry:
    """Who takes part in a race: how it is run, and the formats that it makes."""

    command: Sequence[str]
    formats: Sequence[str]


def race(entries: Mapping[str, Entry], photos: Sequence[Photo], rounds: int) -> dict[str, Race]:
    """Have each photo done by all in turn, in an order that changes."""
    names, seen = list(entries), defaultdict[str, list[Result]](list)
    with ExitStack() as stack:
        contestants = {name: stack.enter_context(running(name, entry.command)) for name, entry in entries.items()}
        for name, entry in entries.items():
            contestants[name].do([warm_up_photo()], entry.formats)
        for number in range(rounds):
            sums = dict.fromkeys(names, Result(0, 0))
            for index, photo in enumerate(photos):
                first = (number + index) % len(names)
                for name in names[first:] + names[:first]:
                    sums[name] += contestants[name].do([photo], entries[name].formats)
            for name in names:
                seen[name].append(sums[name])
            print(f"  round {number + 1} of {rounds}", flush=True)
        return {name: Race(tuple(seen[name]), contestants[name].peak_mb) for name in names}


def scaling(name: str, command: Sequence[str], photos: Sequence[Photo], rounds: int) -> float:
    """How many times as much two processes get done as one, JPEG and WebP; the median round."""
    formats = ["jpeg", "webp"]
    with running(name, command) as one, running(name, command) as other:
        one.do([warm_up_photo()], formats)
        other.do([warm_up_photo()], formats)
        ratios = []
        for _ in range(rounds):
            alone, together = [_wall_s(group, photos, formats) for group in ([one], [one, other])]
            ratios.append(2 * alone / together)
        return median(ratios)


def _wall_s(contestants: Sequence[Contestant], photos: Sequence[Photo], formats: Sequence[str]) -> float:
    """How long it takes until each of them has done all photos, all at once."""
    started = time.monotonic()
    for contestant in contestants:
        contestant.begin(photos, formats)
    for contestant in contestants:
        contestant.finish()
    return time.monotonic() - started
