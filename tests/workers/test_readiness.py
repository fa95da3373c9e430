"""A worker that systemd has started tells it when it is up."""

import secrets
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import running
from tests.photofleet.broker.queues import Queues

QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


@pytest.fixture
def systemd() -> Iterator[socket.socket]:
    """A socket that hears what a service tells systemd."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as heard:
        heard.settimeout(60)
        yield heard


@pytest.mark.parametrize(("is_abstract", "pool"), [(False, "prefork"), (True, "prefork"), (False, "threads")])
def test_a_worker_tells_systemd_once_that_it_is_up(
    cloud: Mapping[str, str], queues: Queues, systemd: socket.socket, tmp_path: Path, is_abstract: bool, pool: str
) -> None:
    address = f"@photofleet-{secrets.token_hex(8)}" if is_abstract else str(tmp_path / "notify")
    systemd.bind(address.replace("@", "\0", 1) if is_abstract else address)
    command = (sys.executable, "-m", "celery", "--app", "workers.resize", "worker", "--queues", "resize", *QUIET)
    told = []

    def hear() -> bool:
        told.append(systemd.recv(1000))
        return True

    with running((*command, "--pool", pool, "--concurrency", "2"), hear, {**cloud, "NOTIFY_SOCKET": address}):
        systemd.settimeout(1)
        with pytest.raises(TimeoutError):
            hear()
    assert told == [b"READY=1"]
