"""The real services that integration tests run against; only tests that ask for them pay for them."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from photofleet import announce
from photofleet.catalog.database import get_engine
from photofleet.catalog.migrate import migrate
from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.environment import keep_to_this_machine, service_environment
from photofleet.local.postgres import EmbeddedPostgres
from photofleet.settings import get_settings, variable
from photofleet.stack import Clients
from tests.photofleet.broker.queues import Queues

MODELS = Path(__file__).parents[1] / "build" / "models"
"""Where `make install` has made the network ready; a worker that finds nothing there labels with torch."""

START_SECONDS = 60.0
STOP_SECONDS = 20.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stock", action="store_true", help="Run the experiments on kombu's own transport, on which they fail."
    )


@pytest.fixture(scope="session", autouse=True)
def _nothing_but_this_machine() -> None:
    keep_to_this_machine()
    os.environ[variable("label_cache")] = str(MODELS)


@pytest.fixture(scope="session")
def unused_port() -> Callable[[], int]:
    """A function that returns a port of loopback that nothing listens on."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return find


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory, unused_port: Callable[[], int]) -> Iterator[EmbeddedAWS]:
    """The embedded AWS, running, with nothing in it."""
    aws = EmbeddedAWS(tmp_path_factory.mktemp("aws"), unused_port())
    with running(aws.command, aws.answers, aws.server_environment()):
        yield aws


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, unused_port: Callable[[], int]) -> Iterator[EmbeddedPostgres]:
    """The embedded PostgreSQL, running, with an empty database."""
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), unused_port())
    postgres.initialise()
    # These databases never outlive the tests, so waiting for the disk would be in vain.
    with running((*postgres.command, "-c", "fsync=off"), postgres.answers, stop_signal=signal.SIGINT):
        yield postgres


@pytest.fixture
def clients(aws: EmbeddedAWS) -> Clients:
    """Clients for the account's root user."""
    return stacks.clients_of(aws.client_environment())


@pytest.fixture(scope="session")
def cloud(aws: EmbeddedAWS, postgres: EmbeddedPostgres) -> Mapping[str, str]:
    """The environment of a process that may do everything: the real stack is launched, the database empty."""
    root = aws.client_environment()
    stacks.launch(root, postgres.url)
    environment = service_environment(aws, stacks.settings(root), postgres.url)
    return root | environment | {variable("label_cache"): str(MODELS)}


@pytest.fixture(scope="session")
def service(cloud: Mapping[str, str]) -> Iterator[None]:
    """This process as one of the service's: its settings are those of the cloud, and the database is migrated."""
    os.environ.update(cloud)
    migrate(get_engine())
    yield
    get_engine().dispose()


@pytest.fixture
def catalog(service: None) -> Engine:
    """The real database, migrated, with the taxonomy and without photos."""
    engine = get_engine()
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE photos CASCADE"))
        connection.execute(text("DELETE FROM labels WHERE id NOT IN (SELECT label_id FROM label_terms)"))
        connection.execute(text("UPDATE labels SET adjusted_threshold = NULL WHERE adjusted_threshold IS NOT NULL"))
    return engine


@pytest.fixture
def session(catalog: Engine) -> Iterator[Session]:
    """A session on the catalog."""
    with Session(catalog, expire_on_commit=False) as session:
        yield session


@pytest.fixture
def queues(cloud: Mapping[str, str], service: None) -> Iterator[Queues]:
    """The service's queues, empty."""
    queues = Queues(cloud)
    queues.empty()
    yield queues
    queues.empty()


@pytest.fixture
def root_logging() -> Iterator[None]:
    """Whatever the test makes of this process's logging is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)


@pytest.fixture
def change_settings(service: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A function that gives this process other settings, by name, until the test ends."""

    def read_again() -> None:
        get_settings.cache_clear()
        announce._app.cache_clear()

    def change(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(variable(name), str(value))
        read_again()

    yield change
    monkeypatch.undo()
    read_again()


@pytest.fixture
def topic_is_down(change_settings: Callable[..., None]) -> None:
    """Announcing goes to a topic that is not there."""
    change_settings(topic_arn=get_settings().topic_arn + "-gone")


@contextmanager
def guarded(process_group: int, stop_signal: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """End what is left of a process group after a with block, even if this process is killed in it."""
    guard = (sys.executable, "-m", "photofleet.local.guard")
    with subprocess.Popen(guard, stdin=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdin
        process.stdin.write(f"watch {process_group} {stop_signal.value}\n")
        process.stdin.flush()
        yield


@contextmanager
def running(
    command: Sequence[str],
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a service for the length of a with block."""
    with (
        subprocess.Popen(command, env=os.environ | (environment or {}), process_group=0) as process,
        guarded(process.pid, stop_signal),
    ):
        try:
            deadline = time.monotonic() + START_SECONDS
            while not is_ready():
                assert process.poll() is None, f"{command} ended with {process.returncode} before it was ready."
                assert time.monotonic() < deadline, f"{command} was not ready within {START_SECONDS:.0f} s."
                time.sleep(0.05)
            yield process
        finally:
            process.send_signal(stop_signal)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
