import fcntl
import json
import os
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photofleet.local.commands import local
from photofleet.local.state import StateError, StateFolder

# `up` keeps the process that it is called in to this machine.
pytestmark = pytest.mark.usefixtures("restored_environment")


def _photofleet_local(*words: str | Path, answer: str | None = None) -> Result:
    return CliRunner().invoke(local, [str(word) for word in words], input=answer)


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """The state of a service that ran and was stopped."""
    state = StateFolder(tmp_path / "state")
    state.prepare()
    (state.path / "photo").touch()
    return state


@contextmanager
def _as_if_running(state: StateFolder, service_state: str = "ready") -> Iterator[None]:
    service = {
        "name": "web",
        "pid": 4711,
        "state": service_state,
        "since": "2026-01-01T00:00:00+00:00",
        "restarts": 3,
        "port": 8000,
    }
    with state.claimed():
        state.write_status({"pid": os.getpid(), "address": "http://127.0.0.1:8000", "services": [service]})
        yield


@pytest.mark.parametrize("option", ["--port", "--aws-port", "--database-port"])
def test_a_taken_port_is_named_with_the_option_that_changes_it(
    tmp_path: Path, unused_port: Callable[[], int], option: str
) -> None:
    ports = {name: str(unused_port()) for name in ("--port", "--aws-port", "--database-port")}
    with socket.socket() as other_program:
        other_program.bind(("127.0.0.1", int(ports[option])))
        other_program.listen()
        words = [word for pair in ports.items() for word in pair]
        result = _photofleet_local("up", "--state", tmp_path / "state", *words)
    assert result.exit_code == 1
    assert f"Port {ports[option]} cannot be used: address already in use." in result.output
    assert f"choose another with {option}." in result.output


def test_one_port_for_two_services_is_refused(tmp_path: Path) -> None:
    result = _photofleet_local("up", "--state", tmp_path / "state", "--port", "4566", "--aws-port", "4566")
    assert result.exit_code == 1
    assert "Port 4566 is given twice." in result.output


@pytest.mark.parametrize("detach", [(), ("--detach",)])
def test_a_second_service_on_the_same_state_is_refused(state: StateFolder, detach: tuple[str, ...]) -> None:
    with _as_if_running(state):
        result = _photofleet_local("up", "--state", state.path, *detach)
    assert result.exit_code == 1
    assert "already running" in result.output
    assert "photofleet local status" in result.output
    assert "photofleet local down" in result.output


@pytest.mark.parametrize("command", [("up",), ("up", "--detach"), ("reset", "--yes")])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "thesis.txt").touch()
    result = _photofleet_local(*command, "--state", tmp_path)
    assert result.exit_code == 1
    assert "holds something else than Photofleet's state" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_state_of_another_version_is_refused_with_a_way_out(state: StateFolder) -> None:
    (state.path / "photofleet.json").write_text('{"format": 99}', encoding="utf-8")
    result = _photofleet_local("up", "--state", state.path)
    assert result.exit_code == 1
    assert "photofleet local reset" in result.output
    assert _photofleet_local("reset", "--yes", "--state", state.path).exit_code == 0


def test_a_database_of_another_version_is_refused_with_a_way_out(
    state: StateFolder, unused_port: Callable[[], int]
) -> None:
    (state.postgres / "data").mkdir(parents=True)
    (state.postgres / "data" / "PG_VERSION").write_text("17\n", encoding="ascii")
    ports = ("--port", str(unused_port()), "--aws-port", str(unused_port()), "--database-port", str(unused_port()))
    result = _photofleet_local("up", "--state", state.path, *ports)
    assert result.exit_code == 1
    assert "is of PostgreSQL 17" in result.output
    assert "photofleet local reset" in result.output


def test_a_state_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert _photofleet_local("up", "--state", tmp_path / "file").exit_code == 2
    result = _photofleet_local("up", "--state", tmp_path / "file" / "state")
    assert result.exit_code == 1
    assert "cannot be used: Not a directory" in result.output


def test_status_shows_every_program_and_exits_with_0_when_all_are_up(state: StateFolder) -> None:
    with _as_if_running(state):
        result = _photofleet_local("status", "--state", state.path)
    assert result.exit_code == 0
    assert "http://127.0.0.1:8000" in result.output
    assert "web   4711  ready  2026-01-01T00:00:00+00:00  3         8000" in result.output


def test_status_exits_with_1_while_something_is_not_up(state: StateFolder) -> None:
    with _as_if_running(state, "crashed"):
        result = _photofleet_local("status", "--state", state.path, "--json")
    assert result.exit_code == 1
    shown = json.loads(result.output)
    assert (shown["running"], shown["ready"], shown["services"][0]["state"]) == (True, False, "crashed")


def test_status_says_when_nothing_is_running(state: StateFolder) -> None:
    with _as_if_running(state):
        pass
    result = _photofleet_local("status", "--state", state.path)
    assert result.exit_code == 1
    assert "not running" in result.output
    assert json.loads(_photofleet_local("status", "--state", state.path, "--json").output) == {
        "running": False,
        "ready": False,
    }


def test_who_looks_is_not_taken_for_the_service(state: StateFolder) -> None:
    with _as_if_running(state):
        pass
    descriptor = os.open(state.path / "alive", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    assert state.read_status() is None
    os.close(descriptor)


def test_what_the_service_says_of_itself_is_its_owners_alone(state: StateFolder) -> None:
    with _as_if_running(state):
        assert stat.S_IMODE((state.path / "status.json").stat().st_mode) == 0o600


def test_down_has_nothing_to_do_where_nothing_is_running(tmp_path: Path) -> None:
    result = _photofleet_local("down", "--state", tmp_path / "nowhere")
    assert result.exit_code == 0
    assert "is not running" in result.output
    assert not (tmp_path / "nowhere").exists()


def test_reset_asks_first(state: StateFolder) -> None:
    result = _photofleet_local("reset", "--state", state.path, answer="n\n")
    assert result.exit_code == 1
    assert (state.path / "photo").exists()
    assert _photofleet_local("reset", "--state", state.path, answer="y\n").exit_code == 0
    assert not state.path.exists()


def test_what_waits_for_a_folder_that_is_deleted_meanwhile_does_not_go_on_in_it(state: StateFolder) -> None:
    with ThreadPoolExecutor(1) as pool, state.claimed():
        waiting = pool.submit(lambda: state.claimed().__enter__())
        time.sleep(0.3)
        shutil.rmtree(state.path)
    with pytest.raises(StateError, match="deleted"):
        waiting.result()


def test_reset_is_refused_while_the_service_runs(state: StateFolder) -> None:
    with _as_if_running(state):
        result = _photofleet_local("reset", "--yes", "--state", state.path)
    assert result.exit_code == 1
    assert "photofleet local down" in result.output
    assert (state.path / "photo").exists()


@pytest.mark.parametrize("command", ["up", "down", "status", "reset"])
def test_every_option_is_explained(command: str) -> None:
    options = [parameter for parameter in local.commands[command].params if parameter.name != "help"]
    assert options
    assert all(getattr(option, "help", None) for option in options)


def test_without_a_running_service_no_program_is_run(state: StateFolder) -> None:
    result = _photofleet_local("exec", "--state", state.path, "true")

    assert result.exit_code == 1
    assert "not running" in result.output
    assert "photofleet local up" in result.output
