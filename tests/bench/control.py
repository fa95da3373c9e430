"""How asking workers what they do grows with their number: `make bench-control`.

Fleets of 1, 10, 50 and 100 real workers (tests/bench/light_fleet.py) are asked as `celery inspect ping` does: one
worker by its name, and all. Reported is how long the answers take, how many workers answer within a timeout, and how
many requests AWS gets for it. AWS and all workers share this machine's cores, which slows large fleets down here; the
numbers of requests are the same anywhere. For a waiting receiver it looks every 0.1 s, which is most of what an answer
to one question takes.
"""

import argparse
import gc
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from statistics import fmean, median

import boto3
import psutil
from celery import Celery
from kombu import pools

from photofleet.broker import create_app
from photofleet.settings import get_settings
from tests.bench.common import Cloud, cloud, logged, print_table, write_figures
from tests.bench.light_fleet import Notes, count_requests, node_name
from tests.conftest import running

SIZES = (1, 10, 50, 100)
TIMEOUTS_S = (1, 2, 5)
ROUNDS = 3
ADDRESSED = 20
"""How many questions to one worker are asked."""

IDLE_S = 45
"""How long a fleet is left alone: at least two long polls."""


@dataclass(frozen=True)
class Fleet:
    """A running fleet: its size, its processes and what they note."""

    size: int
    processes: list[psutil.Process]
    notes: Notes


@dataclass(frozen=True)
class Asked:
    """What became of a question: when each reply came, in milliseconds after it, and the requests that it took."""

    replies_ms: Sequence[float]
    calls: int


@dataclass(frozen=True)
class Answers:
    """How a fleet answers; medians, times in milliseconds, calls of AWS by the one who asks.

    `first_addressed_ms` is the first question of a connection, with what it must do before it can ask. `answered` is
    how many answered within a timeout in seconds, in the worst round.
    """

    first_addressed_ms: float
    addressed_ms: float
    addressed_calls: float
    first_reply_ms: float
    last_reply_ms: float
    calls: float
    answered: Mapping[int, int]


class Caller:
    """One who pings workers, as `celery inspect ping` does."""

    def __init__(self) -> None:
        self._app: Celery = create_app()
        self._calls = 0
        count_requests(self._note)

    def _note(self, calls: int) -> None:
        self._calls = calls

    def ping(self, *nodes: str, timeout: float, limit: int | None = None) -> Asked:
        """Ask nodes, or all, until `limit` have answered, or nobody has for so many seconds."""
        replies_ms: list[float] = []
        calls, started = self._calls, time.monotonic()
        self._app.control.broadcast(
            "ping",
            destination=nodes or None,
            reply=True,
            timeout=timeout,
            limit=limit,
            callback=lambda _: replies_ms.append(1000 * (time.monotonic() - started)),
        )
        return Asked(replies_ms, self._calls - calls)

    def close(self) -> None:
        """Leave nothing behind on AWS."""
        pools.reset()  # they are this process's, and would be handed closed to the next caller
        gc.collect()  # a mailbox for replies goes with what read it


def main() -> None:
    """Measure, print a table, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.control")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of workers")
    options = parser.parse_args()
    found: dict[int, Answers] = {}
    with cloud(receive_wait=20, log_level="WARNING") as aws:
        for size in sorted(options.sizes):
            with fleet(size, aws) as workers, closing(Caller()) as caller:
                found[size] = question(workers, caller)
                print(f"{size} workers: all have answered after {found[size].last_reply_ms:.0f} ms", flush=True)
                if size == max(options.sizes):
                    idle_calls, memory_mb = idle_calls_per_minute(workers), memory_per_worker_mb(workers)
            forget_mailboxes()
    show(found)
    print(f"\nA worker makes {idle_calls:.1f} calls a minute when idle, and takes {memory_mb:.0f} MB of its own here.")
    per_worker = {"idle_calls_per_worker_per_minute": idle_calls, "memory_per_worker_mb": memory_mb}
    write_figures("control", figures(found) | per_worker)


@contextmanager
def fleet(size: int, aws: Cloud) -> Iterator[Fleet]:
    """A fleet whose workers are all ready. They are killed in the end, having nothing to lose."""
    path = aws.folder / f"notes-{size}"
    command = logged("light_fleet", sys.executable, "-m", "tests.bench.light_fleet", str(size), str(path))

    def ready() -> bool:
        return path.exists() and all(Notes(path, size).ready)

    with running(command, ready, stop_signal=signal.SIGKILL) as process:
        yield Fleet(size, psutil.Process(process.pid).children(), Notes(path, size))


def forget_mailboxes() -> None:
    """Delete the mailboxes of a fleet that is gone, so that nobody writes to them any more."""
    sqs = boto3.client("sqs")
    for url in sqs.list_queues(QueueNamePrefix=f"{get_settings().control_prefix}-node-").get("QueueUrls", []):
        sqs.delete_queue(QueueUrl=url)


def question(fleet: Fleet, caller: Caller) -> Answers:
    """Ask a fleet, first one worker at a time, then all."""
    names = [node_name(fleet.size, number % fleet.size) for number in range(ADDRESSED + 1)]
    first, *addressed = (caller.ping(name, timeout=5) for name in names)
    broadcasts = [caller.ping(timeout=5, limit=fleet.size) for _ in range(ROUNDS)]
    return Answers(
        first_addressed_ms=first.replies_ms[0],
        addressed_ms=median(asked.replies_ms[0] for asked in addressed),
        addressed_calls=median(asked.calls for asked in addressed),
        first_reply_ms=median(asked.replies_ms[0] for asked in broadcasts),
        last_reply_ms=median(asked.replies_ms[-1] for asked in broadcasts),
        calls=median(asked.calls for asked in broadcasts),
        answered={
            timeout: min(len(caller.ping(timeout=timeout).replies_ms) for _ in range(ROUNDS)) for timeout in TIMEOUTS_S
        },
    )


def idle_calls_per_minute(fleet: Fleet) -> float:
    """The requests to AWS of a worker that has nothing to do and is asked nothing."""
    calls, latest = list(fleet.notes.requests), list(fleet.notes.latest)
    time.sleep(IDLE_S)
    return fmean(
        (calls_then - calls_before) / (latest_then - latest_before) * 60e9
        for calls_then, calls_before, latest_then, latest_before in zip(
            fleet.notes.requests, calls, fleet.notes.latest, latest, strict=True
        )
    )


def memory_per_worker_mb(fleet: Fleet) -> float:
    """What a worker adds (USS); a real one shares nothing with others, and takes what the broker benchmark says."""
    return fmean(process.memory_full_info().uss / 1e6 for process in fleet.processes)


def show(found: Mapping[int, Answers]) -> None:
    """Print a table."""
    print("\nTimes in ms; calls of AWS by the one who asks; answered within 1, 2 and 5 s\n")
    header = ["workers", "one: first", "then", "calls", "all: first", "last", "calls", "answered"]
    rows: list[list[object]] = [
        [
            size,
            answers.first_addressed_ms,
            answers.addressed_ms,
            answers.addressed_calls,
            answers.first_reply_ms,
            answers.last_reply_ms,
            answers.calls,
            " ".join(map(str, answers.answered.values())),
        ]
        for size, answers in found.items()
    ]
    print_table(header, rows)


def figures(found: Mapping[int, Answers]) -> dict[str, float]:
    """The figures, by the size of the fleet where they grow with it, else of the largest."""
    flat: dict[str, float] = {}
    for size, answers in found.items():
        flat |= {
            f"addressed_ms_{size}": answers.addressed_ms,
            f"addressed_calls_{size}": answers.addressed_calls,
            f"broadcast_first_reply_ms_{size}": answers.first_reply_ms,
            f"broadcast_last_reply_ms_{size}": answers.last_reply_ms,
            f"caller_calls_{size}": answers.calls,
        }
        flat |= {f"answered_{size}_within_{timeout}_s": count for timeout, count in answers.answered.items()}
    return flat


if __name__ == "__main__":
    main()
