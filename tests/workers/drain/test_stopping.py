import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import running
from tests.photofleet.local.processes import eventually
from tests.workers.drain.conftest import QUICK, StartWorker
from workers.drain.stopping import PidfileError, Stopping, find_worker

NOBODY = 65534


def test_the_worker_that_the_pidfile_names_is_found(pidfile: Path, start_worker: StartWorker) -> None:
    worker = start_worker()

    found = find_worker(pidfile)

    assert found is not None
    assert found.pid == worker.process.pid


def test_without_a_pidfile_there_is_no_worker(pidfile: Path) -> None:
    assert find_worker(pidfile) is None


def test_a_process_that_has_ended_is_no_worker(pidfile: Path) -> None:
    with subprocess.Popen(("true",)) as process:
        pidfile.write_text(f"{process.pid}\n")
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert find_worker(pidfile) is None, "ended, and not yet collected"
    assert find_worker(pidfile) is None


@pytest.mark.parametrize("text", ["", "0", "1", "-1", "-12", "+12", "1 2", "0x10", "١٢", "celery", "{pid}"])
def test_what_names_no_worker_is_refused(pidfile: Path, text: str) -> None:
    pidfile.write_text(text.format(pid=os.getpid()), encoding="utf-8")

    with pytest.raises(PidfileError, match="names no worker"):
        find_worker(pidfile)


def test_a_number_that_no_process_can_have_is_no_worker(pidfile: Path) -> None:
    pidfile.write_text("9" * 50)

    assert find_worker(pidfile) is None


def test_a_process_that_is_no_celery_is_refused(pidfile: Path) -> None:
    with running(("sleep", "1000"), lambda: True) as process:
        pidfile.write_text(f"{process.pid}\n")

        with pytest.raises(PidfileError, match="is stale"):
            find_worker(pidfile)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process as somebody else")
def test_a_celery_of_another_user_is_refused(pidfile: Path) -> None:
    with subprocess.Popen(("sh", "-c", "read line; : celery"), stdin=subprocess.PIPE, user=NOBODY) as process:
        pidfile.write_text(f"{process.pid}\n")

        with pytest.raises(PidfileError, match="is stale"):
            find_worker(pidfile)


def test_a_pidfile_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PidfileError, match="cannot be read"):
        find_worker(tmp_path)


def test_a_pidfile_that_names_another_process_is_logged_once_and_nothing_is_told(
    pidfile: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(("sleep", "1000"), lambda: True) as process:
        pidfile.write_text(f"{process.pid}\n")
        stopping = Stopping(pidfile, QUICK)

        assert [stopping.go_on() for _ in range(3)] == [False, False, False]
        assert process.poll() is None
    (line,) = caplog.messages
    assert "is stale" in line


def test_a_worker_that_has_removed_its_pidfile_still_counts_until_it_has_ended(
    pidfile: Path, start_worker: StartWorker
) -> None:
    worker = start_worker("SIGQUIT")
    stopping = Stopping(pidfile, QUICK)
    assert stopping.go_on()

    pidfile.unlink()

    assert stopping.go_on()
    worker.process.kill()
    eventually(lambda: not stopping.go_on())
