import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.photofleet.local.processes import eventually, is_gone

READY = "everything is ready"


class Fleet:
    """A supervisor in a process of its own."""

    def __init__(self, folder: Path, case: str):
        self.folder = folder
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                (sys.executable, "-m", "tests.photofleet.local.little_fleet", str(folder), case),
                stdout=log,
                stderr=subprocess.STDOUT,
                # As a shell gives each command a group of its own.
                process_group=0,
            )

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def until(self, words: str) -> None:
        eventually(lambda: words in self.output())

    def events(self) -> list[str]:
        return (self.folder / "events").read_text(encoding="utf-8").splitlines()

    def pids(self) -> list[int]:
        return [int(pid) for pid in (self.folder / "pids").read_text(encoding="utf-8").split()]

    def status(self, name: str) -> dict[str, Any]:
        children: list[dict[str, Any]] = json.loads((self.folder / "status").read_text(encoding="utf-8"))
        return next(child for child in children if child["name"] == name)

    def guard(self) -> int:
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if "photofleet.local.guard" in child.cmdline():
                    return child.pid
        return 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Fleet]]:
    started: list[Fleet] = []

    def start_case(case: str) -> Fleet:
        started.append(Fleet(tmp_path, case))
        return started[-1]

    yield start_case
    for fleet in started:
        fleet.process.kill()
        fleet.process.wait()


def test_services_start_in_order_and_stop_in_reverse_order(start: Callable[[str], Fleet]) -> None:
    fleet = start("three stages")
    fleet.until(READY)
    assert fleet.events()[0] == "cloud started"
    assert sorted(fleet.events()[1:]) == ["web started", "worker started"]
    fleet.process.send_signal(signal.SIGINT)
    assert fleet.process.wait(20) == 0
    assert sorted(fleet.events()[3:5]) == ["web stopped", "worker stopped"]
    assert fleet.events()[5:] == ["cloud stopped"]
    assert all(is_gone(pid) for pid in fleet.pids())


def test_what_a_service_provides_is_in_the_environment_of_those_after_it(start: Callable[[str], Fleet]) -> None:
    fleet = start("three stages")
    fleet.until("the job sees a bucket")


def test_the_state_of_every_service_is_reported(start: Callable[[str], Fleet]) -> None:
    fleet = start("three stages")
    fleet.until(READY)
    assert fleet.status("job")["state"] == "done"
    web = fleet.status("web")
    assert (web["state"], web["restarts"]) == ("ready", 0)
    assert web["pid"] in fleet.pids()


def test_a_killed_service_is_started_again_and_nothing_of_it_stays(start: Callable[[str], Fleet]) -> None:
    fleet = start("three stages")
    fleet.until(READY)
    before = fleet.pids()
    os.kill(fleet.status("web")["pid"], signal.SIGKILL)
    eventually(lambda: fleet.status("web")["restarts"] == 1 and fleet.status("web")["state"] == "ready")
    assert "killed by SIGKILL; starting it again" in fleet.output()
    (web,) = (pair for pair in zip(before[::2], before[1::2], strict=True) if is_gone(pair[0]))
    assert is_gone(web[1]), "the grandchild outlived its parent"
    assert fleet.status("worker")["restarts"] == 0


def test_what_a_service_needs_when_it_is_ready_is_done_again_after_a_crash(start: Callable[[str], Fleet]) -> None:
    fleet = start("three stages")
    fleet.until(READY)
    assert fleet.output().count("the cloud is being prepared") == 1
    os.kill(fleet.status("cloud")["pid"], signal.SIGKILL)
    eventually(lambda: fleet.status("cloud")["restarts"] == 1 and fleet.status("cloud")["state"] == "ready")
    assert fleet.output().count("the cloud is being prepared") == 2


def test_a_service_that_keeps_crashing_is_started_ever_later(start: Callable[[str], Fleet]) -> None:
    fleet = start("crashing")
    starts = fleet.folder / "starts"
    eventually(lambda: starts.exists() and len(starts.read_text().splitlines()) == 4)
    times = [float(line) for line in starts.read_text().splitlines()]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert all(pause >= least for pause, least in zip(pauses, (0.5, 1.0, 2.0), strict=True)), pauses


def test_a_failed_start_says_why_and_stops_the_rest(start: Callable[[str], Fleet]) -> None:
    fleet = start("failing")
    assert fleet.process.wait(20) == 1
    assert "no such table" in fleet.output()
    assert "Sorry: job: ended with status 3." in fleet.output()
    assert fleet.events() == ["cloud started", "cloud stopped"]


def test_services_go_on_although_nobody_can_be_told_of_them(start: Callable[[str], Fleet]) -> None:
    fleet = start("three stages")
    fleet.until(READY)
    # Where the report is written first; a folder in its place has the same effect as a full disk.
    (fleet.folder / "status.unfinished").mkdir()
    before = fleet.events()
    os.kill(fleet.status("web")["pid"], signal.SIGKILL)
    eventually(lambda: fleet.events() == [*before, "web started"])
    assert "could not be reported" in fleet.output()
    assert fleet.process.poll() is None


def test_a_service_that_never_becomes_ready_is_a_failed_start(start: Callable[[str], Fleet]) -> None:
    fleet = start("never ready")
    assert fleet.process.wait(20) == 1
    assert "Sorry: sloth was not ready within" in fleet.output()


def test_preparations_that_go_wrong_are_a_failed_start(start: Callable[[str], Fleet]) -> None:
    fleet = start("bad preparations")
    assert fleet.process.wait(20) == 1
    assert "Sorry: cloud: " in fleet.output()


def test_a_second_ctrl_c_kills_what_does_not_want_to_stop(start: Callable[[str], Fleet]) -> None:
    fleet = start("stubborn")
    fleet.until(READY)
    fleet.process.send_signal(signal.SIGINT)
    eventually(lambda: "mule stopped" in fleet.events())
    assert fleet.process.poll() is None
    fleet.process.send_signal(signal.SIGINT)
    assert fleet.process.wait(5) == 0
    assert all(is_gone(pid) for pid in fleet.pids())


def test_ctrl_c_of_the_terminal_reaches_the_supervisor_only(start: Callable[[str], Fleet]) -> None:
    fleet = start("stubborn")
    fleet.until(READY)
    os.killpg(fleet.process.pid, signal.SIGINT)
    eventually(lambda: "mule stopped" in fleet.events())
    # It was told once, by the supervisor, and with the signal that means an ordered end.
    assert fleet.events() == ["mule started", "mule stopped"]


def test_ctrl_c_while_starting_stops_what_has_started(start: Callable[[str], Fleet]) -> None:
    fleet = start("long job")
    fleet.until("Starting job.")
    fleet.process.send_signal(signal.SIGINT)
    assert fleet.process.wait(20) == 0
    assert fleet.events() == ["cloud started", "cloud stopped"]
    assert all(is_gone(pid) for pid in fleet.pids())


def test_nothing_is_left_of_a_supervisor_that_was_killed(start: Callable[[str], Fleet]) -> None:
    fleet = start("three stages")
    fleet.until(READY)
    guard = fleet.guard()
    fleet.process.kill()
    eventually(lambda: all(is_gone(pid) for pid in fleet.pids()))
    assert sorted(fleet.events()[3:]) == ["cloud stopped", "web stopped", "worker stopped"]
    eventually(lambda: is_gone(guard))


def test_nothing_is_left_even_of_a_service_that_does_not_want_to_stop(start: Callable[[str], Fleet]) -> None:
    fleet = start("stubborn")
    fleet.until(READY)
    fleet.process.kill()
    eventually(lambda: all(is_gone(pid) for pid in fleet.pids()))


def test_a_killed_guard_is_replaced(start: Callable[[str], Fleet]) -> None:
    fleet = start("three stages")
    fleet.until(READY)
    first = fleet.guard()
    os.kill(first, signal.SIGKILL)
    eventually(lambda: fleet.guard() not in (0, first))
    assert len(fleet.events()) == 3
    # Whoever has brought a service back since then has told the new guard of them all.
    os.kill(fleet.status("web")["pid"], signal.SIGKILL)
    eventually(lambda: fleet.status("web")["restarts"] == 1 and fleet.status("web")["state"] == "ready")
    fleet.process.kill()
    eventually(lambda: all(is_gone(pid) for pid in fleet.pids()))
