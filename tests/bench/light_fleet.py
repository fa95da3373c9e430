"""Many real workers that take little memory: one process makes everything ready and forks them.

Run as `python -m tests.bench.light_fleet SIZE NOTES`. Each worker has Celery's solo pool, so that it is one process. It
notes in the file NOTES that it is ready, how many requests it has made of AWS, and when the last; `Notes` reads that.
"""

import mmap
import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_ready

from photofleet.broker import create_app
from photofleet.broker.sqs.clients import patient_client
from photofleet.catalog.models import RESIZE
from photofleet.clients import prompt_client
from photofleet.settings import get_settings


def node_name(size: int, index: int) -> str:
    """What a worker is called."""
    return f"{RESIZE}@i-{size}-{index:03}"


class Notes:
    """What the workers of a fleet note: whether each is ready, its requests so far, and when the last was, in ns."""

    def __init__(self, path: Path, size: int) -> None:
        with path.open("r+b") as file:
            numbers = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")
        self.ready, self.requests, self.latest = numbers[:size], numbers[size : 2 * size], numbers[2 * size :]

    @staticmethod
    def create(path: Path, size: int) -> None:
        """Make the file, in one moment."""
        beginning = path.with_suffix(".new")
        beginning.write_bytes(bytes(3 * 8 * size))
        beginning.rename(path)


def count_requests(note: Callable[[int], None]) -> None:
    """Have a function called with how many requests this process has made of AWS since now, at each.

    The transport's clients are those of the process, whoever asks for them.
    """
    number = count(1)

    def before_call(**_: Any) -> None:
        note(next(number))

    for client in (patient_client(get_settings().receive_wait), prompt_client("sqs"), prompt_client("sns")):
        client.meta.events.register("before-call", before_call)


def main() -> None:
    """Fork the workers, and wait for them."""
    size, path = int(sys.argv[1]), Path(sys.argv[2])
    Notes.create(path, size)
    notes = Notes(path, size)
    app = create_app()
    app.loader.import_default_modules()
    # AWS clients take long to make. Forks may share them while they have no connection.
    app.connection_for_read().transport  # noqa: B018 -- looking at it makes it, and its clients
    for index in range(size):
        if not os.fork():
            work(app, node_name(size, index), index, notes)
    while True:
        signal.pause()


def work(app: Celery, name: str, index: int, notes: Notes) -> None:
    """Be one of the workers; never returns."""

    def note_requests(number: int) -> None:
        notes.requests[index] = number
        notes.latest[index] = time.monotonic_ns()

    def note_ready(**_: Any) -> None:
        notes.ready[index] = True

    count_requests(note_requests)
    worker_ready.connect(note_ready)
    app.Worker(
        hostname=name,
        queues=RESIZE,
        pool="solo",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()
    os._exit(1)


if __name__ == "__main__":
    main()
