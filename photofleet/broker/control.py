"""Asking the workers what they are doing."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from math import isfinite
from typing import Any
from uuid import UUID

from celery import Celery
from celery.worker.control import inspect_command
from celery.worker.state import active_requests

from photofleet.broker.app import create_app

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunningTask:
    """A task that is being worked on; `photo_id` is None where it is not about a photo."""

    photo_id: str | None
    name: str
    running_s: float


@dataclass(frozen=True)
class WorkerReport:
    """A worker that answers, how many processes it has, and what they are doing."""

    name: str
    processes: int
    tasks: tuple[RunningTask, ...]


MOST_TASKS = 1000

PATIENT_S = 5
"""A worker is only said to be dead when it was silent for so long."""


@cache
def _app() -> Celery:
    return create_app()


@cache
def _asker() -> ThreadPoolExecutor:
    """The one thread that asks, as each that does has a mailbox for replies, which is kept for the next question."""
    return ThreadPoolExecutor(1, "ask-workers")


def ask_workers(timeout: float = 1.0) -> list[WorkerReport]:
    """What every worker is doing now, by name.

    Args:
        timeout: How long the silence must last, in seconds, before no more answers are waited for.

    Raises:
        AWS_ERRORS: what AWS answers instead.
    """
    return _asker().submit(_ask, timeout).result()


def prune_mailboxes(patience_s: float = 120) -> list[str]:
    """Delete the mailboxes of who has gone, and return their names; it takes so long to be sure of it.

    Raises:
        AWS_ERRORS: what AWS answers instead.
    """
    app = _app()

    def ask() -> set[str]:
        return {name for name, _ in _asker().submit(_broadcast, "ping", PATIENT_S).result()}

    with app.connection_for_write() as connection:
        pruned: list[str] = connection.transport.mailboxes.prune(ask, patience_s)
    return pruned


@inspect_command()
def work(state: Any, **_: Any) -> dict[str, Any]:
    """Say how many processes this worker has, and what each is doing, for `ask_workers`."""
    now = time.time()
    return {
        "processes": state.consumer.pool.num_processes,
        "tasks": [
            {
                "photo_id": (request.kwargs or {}).get("photo_id"),
                "name": request.name,
                "running_s": now - request.time_start if request.time_start else 0,
            }
            for request in state.tset(active_requests)
        ],
    }


def _running_task(task: Any) -> RunningTask:
    running_s = float(task["running_s"])
    if not isfinite(running_s):
        raise ValueError("no time")
    try:
        photo_id = str(UUID(task["photo_id"]))
    except (AttributeError, TypeError, ValueError):
        photo_id = None
    return RunningTask(photo_id, str(task["name"]), running_s)


def _ask(timeout: float) -> list[WorkerReport]:
    reports = []
    for name, answer in _broadcast("work", timeout):
        try:
            tasks = tuple(_running_task(task) for task in answer["tasks"][:MOST_TASKS])
            reports.append(WorkerReport(name, int(answer["processes"]), tasks))
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            logger.warning("%s answers nonsense: %.200r", name, answer)
    return sorted(reports, key=lambda report: report.name)


def _broadcast(command: str, timeout: float) -> Iterator[tuple[str, Any]]:
    """Ask all workers; yield each one's name and answer, which may be anything, as any worker may write anything."""
    for reply in _app().control.broadcast(command, reply=True, timeout=timeout) or ():
        if isinstance(reply, dict):
            yield from ((str(name), answer) for name, answer in reply.items())
