"""The application as gunicorn serves it."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException

import pytest
import urllib3
from flask.testing import FlaskClient

from photofleet.images.formats import Format
from tests.cloudformation.rules.rule import documents, resource
from tests.conftest import guarded, running
from tests.pictures import corners, encode
from tests.webapp.multipart import END, MULTIPART, part
from webapp.gunicorn_config import SILENCE_S

LIMIT = 100_000


@pytest.fixture
def port(catalog: object, cloud: Mapping[str, str], unused_port: Callable[[], int]) -> Iterator[int]:
    """The port of a server that takes requests up to LIMIT bytes."""
    port = unused_port()
    command = (sys.executable, "-m", "gunicorn", "--config", "python:webapp.gunicorn_config")
    options = ("--bind", f"127.0.0.1:{port}", "webapp.wsgi:app")
    environment = {
        **cloud,
        "PHOTOFLEET_UPLOAD_MAX_REQUEST_BYTES": str(LIMIT),
        "PHOTOFLEET_UPLOAD_MAX_BYTES": str(LIMIT),
    }

    def is_ready() -> bool:
        try:
            return urllib3.request("GET", f"http://127.0.0.1:{port}/readyz", retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    with running((*command, *options), is_ready, environment):
        yield port


def test_photos_are_taken_one_after_the_other_on_one_connection(port: int) -> None:
    with urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=1) as pool:
        for width in (40, 41, 42):
            body = part(encode(corners(width, 30), Format.JPEG), "photo.jpg") + END
            answer = pool.request("POST", "/api/v1/photos", body=body, headers={"Content-Type": MULTIPART})
            assert answer.status == 201
        assert pool.num_connections == 1


def test_clients_that_fall_silent_do_not_keep_others_waiting(port: int) -> None:
    head = b"POST /photos HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    silent = [head, head + b"Content-Length: 1000\r\n\r\n--b"]
    with ExitStack() as stack:
        connections = []
        for number in range(80):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            connection.sendall(silent[number % 2])
            connections.append(connection)
        # Threads are free again after SILENCE_S; till then there may be none.
        answer = urllib3.request("GET", f"http://127.0.0.1:{port}/readyz", timeout=2 * SILENCE_S, retries=False)
        assert answer.status == 200
        told = connections[1].recv(100)
        assert told.startswith(b"HTTP/1.1 408 ")


def test_who_sends_too_much_is_still_there_to_read_the_answer(port: int) -> None:
    # Closed on unread data, the connection would be reset, and the answer lost with it.
    size = 20_000_000
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(
            f"POST /photos HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MULTIPART}\r\n"
            f"Content-Length: {size}\r\nConnection: close\r\n\r\n".encode()
        )
        connection.sendall(bytes(size))
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    assert answer.startswith("HTTP/1.1 413 ")
    assert "That is too much at once" in answer


HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.argv[2], sys.argv[2:])
"""


VISITORS = 8


class Visitors:
    """Clients that ask one request after another, of whom some come anew each time and others stay connected."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.answers: list[int | Exception] = []
        self._enough = threading.Event()

    @contextmanager
    def asking(self) -> Iterator[None]:
        with ThreadPoolExecutor(VISITORS) as pool:
            for number in range(VISITORS):
                pool.submit(self._ask, stays=number % 2 == 0)
            try:
                yield
            finally:
                self._enough.set()

    def wait_for(self, answers: int) -> None:
        """Wait until so many more have been answered."""
        target, deadline = len(self.answers) + answers, time.monotonic() + 60
        while len(self.answers) < target:
            assert time.monotonic() < deadline, "There are no answers."
            time.sleep(0.01)

    def _ask(self, stays: bool) -> None:
        while not self._enough.is_set():
            connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
            try:
                while not self._enough.is_set():
                    connection.request("GET", "/healthz", headers={} if stays else {"Connection": "close"})
                    response = connection.getresponse()
                    self.answers.append(response.status)
                    response.read()
                    if response.will_close:
                        break
            except (OSError, HTTPException) as error:
                self.answers.append(error)
            finally:
                connection.close()


@pytest.fixture
def socket_of_systemd() -> Iterator[socket.socket]:
    """A socket that somebody keeps open while servers come and go."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        yield listening


def test_a_restart_behind_systemds_socket_drops_no_request(
    catalog: object, cloud: Mapping[str, str], socket_of_systemd: socket.socket
) -> None:
    port = socket_of_systemd.getsockname()[1]
    visitors = Visitors(port)
    slow = part(encode(corners(41, 31), Format.JPEG), "slow.jpg") + END

    with ExitStack() as servers, visitors.asking():
        first = servers.enter_context(activated(socket_of_systemd, cloud))
        visitors.wait_for(200)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as uploading:
            head = f"POST /api/v1/photos HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MULTIPART}\r\n"
            uploading.sendall(f"{head}Content-Length: {len(slow)}\r\n\r\n".encode() + slow[:100])
            time.sleep(0.5)
            first.terminate()
            time.sleep(0.5)
            uploading.sendall(slow[100:])
            uploaded = uploading.recv(65536)
        first.wait(30)
        servers.enter_context(activated(socket_of_systemd, cloud))
        visitors.wait_for(200)

    assert uploaded.startswith(b"HTTP/1.1 201 ")
    assert set(visitors.answers) == {200}


@contextmanager
def activated(listening: socket.socket, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server as systemd does: it inherits a socket as its descriptor 3, and the variables say so."""
    server = ("gunicorn", "--config", "python:webapp.gunicorn_config", "webapp.wsgi:app")
    command = (sys.executable, "-c", HAND_OVER, str(listening.fileno()), sys.executable, "-m", *server)
    process = subprocess.Popen(command, env=os.environ | environment, pass_fds=(listening.fileno(),), process_group=0)
    with process, guarded(process.pid):
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def test_uploads_go_to_the_server_for_uploads(client: FlaskClient) -> None:
    (rule,) = (
        condition["PathPatternConfig"]["Values"]
        for condition in resource(documents(), "web.yaml", "UploadRule")["Conditions"]
        if condition["Field"] == "path-pattern"
    )

    addresses = client.application.url_map.iter_rules()
    assert set(rule) == {
        address.rule for address in addresses if "POST" in (address.methods or ()) and "upload" in address.endpoint
    }
