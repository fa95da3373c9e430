import os
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from photofleet.local.postgres import EmbeddedPostgres, PostgresError
from tests.conftest import running


def _connect(postgres: EmbeddedPostgres, **changes: Any) -> psycopg.Connection:
    return psycopg.connect(postgres.url.replace("+psycopg", ""), **changes)


@pytest.fixture
def own_postgres(tmp_path: Path, unused_port: Callable[[], int]) -> EmbeddedPostgres:
    """A cluster that a test may kill."""
    postgres = EmbeddedPostgres(tmp_path / "postgres", unused_port())
    postgres.initialise()
    return postgres


def test_what_was_committed_outlives_a_kill(own_postgres: EmbeddedPostgres) -> None:
    with running(own_postgres.command, own_postgres.answers, stop_signal=signal.SIGINT) as process:
        with _connect(own_postgres) as connection:
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('photo')")
        process.kill()
    own_postgres.initialise()
    with (
        running(own_postgres.command, own_postgres.answers, stop_signal=signal.SIGINT),
        _connect(own_postgres) as connection,
    ):
        assert connection.execute("SELECT word FROM kept").fetchall() == [("photo",)]


def test_a_pid_file_that_by_now_names_another_program_keeps_it_from_nothing(own_postgres: EmbeddedPostgres) -> None:
    with running(own_postgres.command, own_postgres.answers, stop_signal=signal.SIGINT) as process:
        process.kill()
    pid_file = own_postgres.folder / "data" / "postmaster.pid"
    _, *rest = pid_file.read_text(encoding="utf-8").splitlines(keepends=True)
    with subprocess.Popen((*own_postgres._unprivileged(), "sleep", "1000")) as other_program:
        try:
            pid_file.write_text("".join((f"{other_program.pid}\n", *rest)), encoding="utf-8")
            own_postgres.initialise()
            with running(own_postgres.command, own_postgres.answers, stop_signal=signal.SIGINT):
                pass
        finally:
            other_program.kill()


def test_it_stops_although_someone_is_connected(own_postgres: EmbeddedPostgres) -> None:
    with running(own_postgres.command, own_postgres.answers, stop_signal=signal.SIGINT) as process:
        connection = _connect(own_postgres)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        connection.close()


def test_it_works_below_a_folder_that_only_its_owner_may_enter(tmp_path: Path, unused_port: Callable[[], int]) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    postgres = EmbeddedPostgres(private / "postgres", unused_port())
    postgres.initialise()
    with running(postgres.command, postgres.answers, stop_signal=signal.SIGINT):
        pass
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_it_is_postgresql_18_with_unicode_text(postgres: EmbeddedPostgres) -> None:
    with _connect(postgres) as connection:
        assert connection.info.server_version // 10_000 == 18
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)


def test_a_wrong_password_is_refused(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        _connect(postgres, password="photofleet")  # noqa: S106 - that it is a wrong one is the point


def test_the_password_is_its_owners_alone(postgres: EmbeddedPostgres) -> None:
    assert stat.S_IMODE((postgres.folder / "password").stat().st_mode) == 0o600


def test_data_of_another_version_is_refused_with_a_way_out(own_postgres: EmbeddedPostgres) -> None:
    (own_postgres.folder / "data" / "PG_VERSION").write_text("17\n", encoding="ascii")
    with pytest.raises(PostgresError, match=r"is of PostgreSQL 17, and this is 18\. Delete it with `photofleet local"):
        own_postgres.initialise()


def test_a_cluster_that_was_cut_off_while_being_made_is_made_again(
    tmp_path: Path, unused_port: Callable[[], int]
) -> None:
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "PG_VERSION").write_text("18\n", encoding="ascii")
    postgres = EmbeddedPostgres(tmp_path, unused_port())
    postgres.initialise()
    with running(postgres.command, postgres.answers, stop_signal=signal.SIGINT):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_as_root_it_runs_as_someone_without_privileges(own_postgres: EmbeddedPostgres) -> None:
    with running(own_postgres.command, own_postgres.answers, stop_signal=signal.SIGINT) as process:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("Uid:"))
    assert "0" not in line.split()[1:]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_as_root_without_setpriv_it_says_what_to_do(
    tmp_path: Path, unused_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PostgresError, match="Run this as an ordinary user"):
        EmbeddedPostgres(tmp_path / "postgres", unused_port()).initialise()
