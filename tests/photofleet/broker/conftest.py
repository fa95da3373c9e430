"""Workers of a small fleet, as real processes."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from photofleet.broker import PHOTO_UPLOADED, create_app
from tests.bench.fleet import OURS, STOCK
from tests.conftest import running
from tests.photofleet.broker.queues import Queues

QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


class Note(NamedTuple):
    """What a task noted, and when, in seconds."""

    at: float
    text: str


class Fleet:
    """A worker on the resize queue."""

    def __init__(self, process: subprocess.Popen[bytes], notes: Path, log: Path) -> None:
        self.process = process
        self._notes = notes
        self._log = log

    @property
    def notes(self) -> list[str]:
        """What its tasks noted: all workers of a test write to one file."""
        return [note.text for note in self.timed_notes]

    @property
    def timed_notes(self) -> list[Note]:
        lines = [line.split(maxsplit=1) for line in self._notes.read_text().splitlines()]
        return [Note(float(at), text) for at, text in lines]

    @property
    def log(self) -> str:
        return self._log.read_text()


class StartFleet(Protocol):
    """Runs a worker, with more settings and options than the usual, for the length of a with block."""

    def __call__(self, *options: str, node: str = ..., **settings: str) -> AbstractContextManager[Fleet]: ...


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --stock, run what is said to fail on kombu's own transport, and have it fail."""
    if config.getoption("--stock"):
        for item in items:
            fails = item.get_closest_marker("fails_on_stock")
            item.add_marker(pytest.mark.xfail(strict=True) if fails else pytest.mark.skip(reason="it proves nothing"))


@pytest.fixture
def start_fleet(tmp_path: Path, queues: Queues, request: pytest.FixtureRequest) -> StartFleet:
    stock = request.config.getoption("--stock")

    @contextmanager
    def start(*options: str, node: str = "resize@test", **settings: str) -> Iterator[Fleet]:
        notes, log = tmp_path / "notes", tmp_path / f"{node}.log"
        notes.touch()
        command = (sys.executable, "-m", "celery", "--app", "tests.photofleet.broker.worker", "worker")
        usual = (
            "--queues",
            "resize",
            "--hostname",
            node,
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        )
        transport = STOCK if stock else OURS
        environment = {"NOTES": str(notes), "TRANSPORT": transport, "PHOTOFLEET_RECEIVE_WAIT": "1"} | settings
        command = ("sh", "-c", f'exec "$0" "$@" 2> {log}', *command, *usual, *options)
        with running(command, lambda: "ready." in log.read_text() if log.exists() else False, environment) as process:
            yield Fleet(process, notes, log)

    return start


def announce(photo_id: str) -> None:
    create_app().send_task(PHOTO_UPLOADED, kwargs={"photo_id": photo_id, "request_id": "r1"})


def eventually(happened: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
