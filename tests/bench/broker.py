"""How fast photos go through publish → both fleets → acknowledged, beside kombu's own transport: `make bench-broker`.

Each round starts a worker for each fleet with 1, 2 or 4 processes, publishes photos as fast as it can, and waits until
both queues are empty, nothing in flight. A photo is two messages, one for each fleet; a task sleeps for 50 ms. The
transports take turns, on one embedded AWS; medians of the rounds are reported. tests/bench/fleet.py says how kombu's is
set up.

The embedded AWS is one process on the same cores. With 4 processes a fleet it is what limits a small machine, so a
transport that asks for less gets further, as it does where requests are paid for. `throughput_vs_stock` is taken there.

CPU is that of the workers' main and pool processes, per message, while the round lasts. Memory is that of one worker:
PSS, its fair share of what processes share, where the system tells (Linux), else USS.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib.util import find_spec
from statistics import fmean, median

import boto3
import psutil
from celery import Celery

from photofleet.broker import PHOTO_UPLOADED
from photofleet.catalog.models import STAGES
from tests.bench.common import Cloud, cloud, logged, print_table, write_figures
from tests.bench.fleet import BEST_POLLING_INTERVAL_S, OURS, STOCK, TASK_S, fleet_app, queue_name, queue_url
from tests.conftest import running

ROUNDS = 3
PROCESSES = (1, 2, 4)
HEADLINE = 4
"""The number of processes of which the figures without a number are."""

PUBLISHERS = 4
"""Threads, as a web tier has them; one alone would wait for AWS half of the time, and the fleets for it."""

PHOTOS_PER_PROCESS = 80
WARM_UP_PER_PROCESS = 5
PATIENCE_S = 120
RECEIVE_WAIT_S = 1


@dataclass(frozen=True)
class Contender:
    """A transport with the settings of its workers, and the numbers of processes that it is measured at."""

    name: str
    transport: str
    prefetch: int
    polling_interval: float = BEST_POLLING_INTERVAL_S
    processes: tuple[int, ...] = PROCESSES


def contenders() -> list[Contender]:
    """Ours first, then kombu's: with as little prefetched as ours, with Celery's default, and with both defaults.

    The last is so slow that it is measured once a round.
    """
    ours = int(fleet_app(OURS).conf.worker_prefetch_multiplier)
    return [
        Contender("ours", OURS, ours),
        Contender(f"stock, prefetch {ours}", STOCK, ours),
        Contender("stock, prefetch 4", STOCK, 4),
        Contender("stock as it comes", STOCK, 4, polling_interval=1, processes=(2,)),
    ]


@dataclass(frozen=True)
class Round:
    """What was seen in a round: photos a second, CPU milliseconds a message or photo, megabytes a process."""

    photos_per_second: float
    worker_cpu_ms: float
    main_cpu_ms: float
    publish_cpu_ms: float
    aws_cpu_ms: float
    main_mb: float
    child_mb: float
    main_rss_mb: float
    child_rss_mb: float


def main() -> None:
    """Measure, print a table, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.broker")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is measured")
    options = parser.parse_args()
    if not find_spec("pycurl"):
        sys.exit("kombu's own transport needs pycurl, which is not installed: pip install 'kombu[sqs]'")
    rounds: dict[tuple[Contender, int], list[Round]] = {}
    with cloud(log_format="json", receive_wait=RECEIVE_WAIT_S) as aws:
        publishers = {transport: fleet_app(transport) for transport in (OURS, STOCK)}
        for number in range(options.rounds):
            for processes in PROCESSES:
                for contender in contenders():
                    if processes in contender.processes:
                        seen = measure(contender, processes, publishers[contender.transport], aws)
                        rounds.setdefault((contender, processes), []).append(seen)
                        print(
                            f"{number + 1}/{options.rounds}  {processes} × {contender.name}: "
                            f"{seen.photos_per_second:.1f} photos/s, {seen.worker_cpu_ms:.1f} ms CPU",
                            flush=True,
                        )
    medians = {key: _median(seen) for key, seen in rounds.items()}
    show(medians)
    write_figures("broker", figures(medians))


def measure(contender: Contender, processes: int, publisher: Celery, aws: Cloud) -> Round:
    """One round, with new workers."""
    photos = PHOTOS_PER_PROCESS * processes
    with fleets(contender, processes) as (resize, label):
        publish(publisher, WARM_UP_PER_PROCESS * processes)
        wait_until_acknowledged(processes)
        mains = [resize, label]
        pools = resize.children() + label.children()
        emulator = [psutil.Process(aws.pid)]
        before = [cpu_ms(group) for group in (mains, pools, emulator)]
        started = time.monotonic()
        publish_ms = publish(publisher, photos)
        wait_until_acknowledged(processes)
        elapsed = time.monotonic() - started
        main_ms, pool_ms, emulator_ms = (
            cpu_ms(group) - earlier for group, earlier in zip((mains, pools, emulator), before, strict=True)
        )
        (main_mb, main_rss_mb), (child_mb, child_rss_mb) = memory_mb(mains), memory_mb(pools)
    messages = photos * len(STAGES)
    return Round(
        photos_per_second=photos / elapsed,
        worker_cpu_ms=(main_ms + pool_ms) / messages,
        main_cpu_ms=main_ms / messages,
        publish_cpu_ms=publish_ms / photos,
        aws_cpu_ms=emulator_ms / photos,
        main_mb=main_mb,
        child_mb=child_mb,
        main_rss_mb=main_rss_mb,
        child_rss_mb=child_rss_mb,
    )


@contextmanager
def fleets(contender: Contender, processes: int) -> Iterator[list[psutil.Process]]:
    """A worker for each stage; yields their main processes."""
    environment = {
        "BENCH_TRANSPORT": contender.transport,
        "BENCH_PREFETCH": str(contender.prefetch),
        "BENCH_POLLING_INTERVAL": str(contender.polling_interval),
    }
    resize, label = (_command(contender, processes, stage) for stage in STAGES)
    with running(resize, lambda: True, environment) as one, running(label, lambda: True, environment) as other:
        yield [psutil.Process(one.pid), psutil.Process(other.pid)]
        one.terminate()  # they take a while to stop, which they may do at once
        other.terminate()
    time.sleep(RECEIVE_WAIT_S)  # a poll that a worker left behind could swallow a message of the next round


def _command(contender: Contender, processes: int, stage: str) -> Sequence[str]:
    celery = (sys.executable, "-m", "celery", "--quiet", "--app", "tests.bench.fleet", "worker")
    queue = stage if contender.transport == OURS else queue_name(stage)
    options = ("--queues", queue, "--concurrency", str(processes), "--hostname", f"{stage}@bench")
    silence = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return logged(stage, *celery, *options, *silence)


def publish(app: Celery, photos: int) -> float:
    """Announce photos, and return the CPU time it took, in milliseconds."""

    def announce(number: int) -> None:
        app.send_task(PHOTO_UPLOADED, kwargs={"photo_id": str(number), "request_id": "bench"})

    started = time.process_time()
    with ThreadPoolExecutor(PUBLISHERS) as publishers:
        list(publishers.map(announce, range(photos)))
    return 1000 * (time.process_time() - started)


def wait_until_acknowledged(processes: int) -> None:
    """Wait until both queues are empty, nothing in flight; asks seldom, as asking costs those who are measured."""
    sqs = boto3.client("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline = time.monotonic() + PATIENCE_S
    for stage in STAGES:
        while True:
            found = sqs.get_queue_attributes(QueueUrl=queue_url(stage), AttributeNames=names)["Attributes"]
            left = sum(int(found[name]) for name in names)
            if not left:
                break
            if time.monotonic() > deadline:
                sys.exit(f"After {PATIENCE_S} s, {left} messages are still in the queue of {stage}.")
            time.sleep(max(0.1, left * TASK_S / processes))  # the soonest that it can be empty


def cpu_ms(processes: Sequence[psutil.Process]) -> float:
    """The CPU time that processes have taken so far, in milliseconds."""
    times = [process.cpu_times() for process in processes]
    return 1000.0 * sum(time.user + time.system for time in times)


def memory_mb(processes: Sequence[psutil.Process]) -> tuple[float, float]:
    """The PSS and the RSS of the processes, on average, in megabytes."""
    found = [process.memory_full_info() for process in processes]
    return fmean(getattr(info, "pss", info.uss) / 1e6 for info in found), fmean(info.rss / 1e6 for info in found)


def _median(rounds: Sequence[Round]) -> Round:
    return Round(**{field.name: median(getattr(seen, field.name) for seen in rounds) for field in fields(Round)})


def show(medians: Mapping[tuple[Contender, int], Round]) -> None:
    """Print a table."""
    print(f"\nMedians, on {os.cpu_count()} cores. CPU in ms: of the worker a message, of publisher and AWS a photo.\n")
    print_table(
        ["transport", "processes", "photos/s", "worker", "(main)", "publisher", "AWS", "main MB", "child MB"],
        [
            [contender.name, processes, *(getattr(seen, field.name) for field in fields(Round)[:-2])]
            for (contender, processes), seen in medians.items()
        ],
    )


def figures(medians: Mapping[tuple[Contender, int], Round]) -> dict[str, float]:
    """The figures. `stock` is the faster of kombu's transport with its best settings, at each number of processes."""
    found: dict[str, float] = {}
    ours, *tuned, as_it_comes = contenders()
    for processes in PROCESSES:
        mine = medians[ours, processes]
        stock = max((medians[other, processes] for other in tuned), key=lambda seen: seen.photos_per_second)
        of_processes = {
            "throughput_vs_stock": mine.photos_per_second / stock.photos_per_second,
            "messages_per_second": mine.photos_per_second * len(STAGES),
            "stock_messages_per_second": stock.photos_per_second * len(STAGES),
            "worker_cpu_ms_per_message": mine.worker_cpu_ms,
            "stock_cpu_ms_per_message": stock.worker_cpu_ms,
        }
        found |= {f"{name}_{processes}": value for name, value in of_processes.items()}
        if processes == HEADLINE:
            found |= of_processes | {
                "publish_cpu_ms": mine.publish_cpu_ms,
                "stock_publish_cpu_ms": stock.publish_cpu_ms,
                "memory_main_mb": mine.main_mb,
                "memory_child_mb": mine.child_mb,
                "memory_main_rss_mb": mine.main_rss_mb,
                "memory_child_rss_mb": mine.child_rss_mb,
                "stock_memory_main_mb": stock.main_mb,
                "stock_memory_child_mb": stock.child_mb,
            }
    (processes,) = as_it_comes.processes
    default = medians[as_it_comes, processes].photos_per_second
    found["throughput_vs_stock_as_it_comes"] = medians[ours, processes].photos_per_second / default
    found["scaling_2"] = medians[ours, 2].photos_per_second / medians[ours, 1].photos_per_second
    return found


if __name__ == "__main__":
    main()
