"""The services that a draining instance talks to, the watch over it, and workers to be drained."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from photofleet.metadata import Metadata
from tests.conftest import running
from tests.metadata_service import MetadataService
from tests.photofleet.local.processes import is_gone
from tests.workers.drain.autoscaling_service import HOOK, AutoscalingService
from workers.drain.timing import Timing
from workers.drain.watch import watch

QUICK = Timing(look=0.05, hand_back=1.0, kill=2.0, heartbeat=0.2, retry=0.05, longest_retry=0.2)


class CeleryLike:
    """A running process like a Celery worker's."""

    def __init__(self, process: subprocess.Popen[bytes], notes: Path) -> None:
        self.process = process
        self._notes = notes

    @property
    def signals(self) -> list[str]:
        """What it was told."""
        return self._notes.read_text().splitlines()[1:]

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    @property
    def child_runs(self) -> bool:
        return not is_gone(int(self._notes.read_text().splitlines()[0]))


StartWorker = Callable[..., CeleryLike]
StartWatch = Callable[..., None]


@pytest.fixture
def metadata_service() -> Iterator[MetadataService]:
    """The metadata service of an instance in service."""
    with MetadataService().running() as service:
        yield service


@pytest.fixture
def autoscaling(monkeypatch: pytest.MonkeyPatch) -> Iterator[AutoscalingService]:
    """Autoscaling, where this process's client goes, and those of programs that it starts."""
    with AutoscalingService().running() as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_AUTO_SCALING", service.address)
        anyone = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        for name in anyone.keys() - os.environ.keys():  # what is there belongs to the service
            monkeypatch.setenv(name, anyone[name])
        yield service


@pytest.fixture
def pidfile(tmp_path: Path) -> Path:
    """Where the worker notes its process id."""
    return tmp_path / "worker.pid"


@pytest.fixture
def start_worker(pidfile: Path, tmp_path: Path) -> Iterator[StartWorker]:
    """A function that starts a process like a worker's, which ends on the signals of the given names."""
    with ExitStack() as stack:
        names = iter(range(100))

        def start(*heeded: str) -> CeleryLike:
            notes = tmp_path / f"notes-{next(names)}"
            command = (
                sys.executable,
                "-m",
                "tests.workers.drain.celery_like",
                "worker",
                str(pidfile),
                str(notes),
                *heeded,
            )
            return CeleryLike(stack.enter_context(running(command, notes.exists, stop_signal=signal.SIGKILL)), notes)

        yield start


@pytest.fixture
def start_watch(
    metadata_service: MetadataService, autoscaling: AutoscalingService, pidfile: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[StartWatch]:
    """A function that starts the watch over the instance, its delays made short."""
    caplog.set_level("INFO", "workers.drain")
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def start(timing: Timing = QUICK) -> None:
        arguments = (Metadata(metadata_service.address), pidfile, HOOK, stop, timing)
        threads.append(threading.Thread(target=watch, args=arguments))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), "the watch did not stop"
