import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import running
from tests.metadata_service import INSTANCE_ID, SPOT, SPOT_NOTICE, TARGET_STATE, MetadataService
from tests.photofleet.broker.conftest import announce
from tests.photofleet.broker.queues import Queues
from tests.photofleet.local.processes import eventually
from tests.workers.drain.autoscaling_service import AutoscalingService
from tests.workers.drain.conftest import QUICK, StartWatch, StartWorker

DRAIN = (sys.executable, "-m", "workers.drain")
CELERY = (sys.executable, "-m", "celery", "--app", "tests.photofleet.broker.worker", "worker")


class Drain:
    """The running program."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def lines(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def drain(
    service: None, metadata_service: MetadataService, autoscaling: AutoscalingService, pidfile: Path, tmp_path: Path
) -> Iterator[Drain]:
    """The program, watching this instance's worker."""
    log = tmp_path / "drain.log"
    environment = {"PHOTOFLEET_METADATA_URL": metadata_service.address, "PHOTOFLEET_LOG_FORMAT": "json"}
    with logged((*DRAIN, "--pidfile", str(pidfile)), log, "watching for notices", environment) as process:
        yield Drain(process, log)


@contextmanager
def logged(
    command: tuple[str, ...], log: Path, ready: str, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program whose standard error goes to a file."""
    with_log = ("sh", "-c", 'log=$1; shift; exec "$@" 2> "$log"', "sh", str(log), *command)
    is_ready: Callable[[], bool] = lambda: log.exists() and ready in log.read_text(encoding="utf-8")  # noqa: E731
    with running(with_log, is_ready, environment) as process:
        yield process


class Fleet:
    """A worker of ours on the resize queue, whose task notes what it does."""

    def __init__(self, process: subprocess.Popen[bytes], notes: Path) -> None:
        self.process = process
        self._notes = notes

    @property
    def notes(self) -> list[str]:
        return [line.split(maxsplit=1)[1] for line in self._notes.read_text().splitlines()]

    @property
    def runs(self) -> bool:
        return self.process.poll() is None


@pytest.fixture
def fleet(queues: Queues, pidfile: Path, tmp_path: Path) -> Iterator[Fleet]:
    notes = tmp_path / "notes"
    notes.touch()
    options = ("--queues", "resize", "--without-gossip", "--without-mingle", "--without-heartbeat")
    command = (*CELERY, *options, "--pidfile", str(pidfile))
    environment = {"NOTES": str(notes), "PHOTOFLEET_RECEIVE_WAIT": "1"}
    with logged(command, tmp_path / "worker.log", "ready.", environment) as process:
        yield Fleet(process, notes)


def test_a_worker_of_ours_finishes_its_task_leaves_the_next_to_others_and_the_instance_goes(
    queues: Queues,
    fleet: Fleet,
    drain: Drain,
    metadata_service: MetadataService,
    autoscaling: AutoscalingService,
    pidfile: Path,
) -> None:
    announce("sleep4")
    eventually(lambda: fleet.notes == ["sleep4"])
    announce("cat")

    autoscaling.waiting = True
    metadata_service.values[TARGET_STATE] = "Terminated"

    eventually(lambda: not fleet.runs)
    eventually(lambda: autoscaling.result == "CONTINUE")
    assert fleet.notes == ["sleep4", "sleep4 done"]
    assert queues.counts("RESIZE_QUEUE") == (1, 0)
    (body,) = queues.bodies("RESIZE_QUEUE")
    assert json.loads(json.loads(body)["body"])[1]["photo_id"] == "cat"
    assert autoscaling.heartbeats >= 1
    assert not pidfile.exists()
    assert {line["instance_id"] for line in drain.lines} == {INSTANCE_ID}


def test_a_worker_of_ours_hands_back_what_would_take_too_long(
    queues: Queues,
    fleet: Fleet,
    start_watch: StartWatch,
    metadata_service: MetadataService,
    autoscaling: AutoscalingService,
) -> None:
    announce("sleep60")
    eventually(lambda: fleet.notes == ["sleep60"])
    start_watch(replace(QUICK, kill=30))

    autoscaling.waiting = True
    metadata_service.values[TARGET_STATE] = "Terminated"

    eventually(lambda: autoscaling.result == "CONTINUE")
    assert not fleet.runs
    assert fleet.notes == ["sleep60"]
    assert queues.counts("RESIZE_QUEUE") == (1, 0)


def test_told_to_stop_it_ends_at_once_and_leaves_the_worker_to_whoever_told_it(
    drain: Drain, metadata_service: MetadataService, start_worker: StartWorker
) -> None:
    worker = start_worker()
    metadata_service.values[SPOT] = SPOT_NOTICE
    eventually(lambda: worker.signals == ["SIGTERM"])
    began = time.monotonic()

    drain.process.send_signal(signal.SIGTERM)

    assert drain.process.wait(10) == 0
    assert time.monotonic() - began < 2
    assert worker.runs
    assert drain.lines[-1]["message"] == "told to stop watching"


def test_it_stops_promptly_where_there_is_no_metadata_service(
    service: None, pidfile: Path, tmp_path: Path, unused_port: Callable[[], int]
) -> None:
    environment = {"PHOTOFLEET_METADATA_URL": f"http://127.0.0.1:{unused_port()}"}
    with logged((*DRAIN, "--pidfile", str(pidfile)), tmp_path / "log", "does not answer", environment) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_its_help_names_every_option() -> None:
    told = subprocess.run((*DRAIN, "--help"), capture_output=True, text=True, check=True).stdout

    assert all(word in told for word in ("python -m workers.drain", "--pidfile", "--hook", "PHOTOFLEET_METADATA_URL"))


def test_it_is_light_whatever_the_fleet_beside_it_loads() -> None:
    heavy = ("celery", "kombu", "torch", "PIL", "numpy")
    look = f"import sys, workers.drain.__main__; print([name for name in {heavy} if name in sys.modules])"

    assert subprocess.check_output((sys.executable, "-c", look), text=True).strip() == "[]"
