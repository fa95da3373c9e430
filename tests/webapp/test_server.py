"""The application as gunicorn serves it."""

import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest
import urllib3

from photofleet.images.formats import Format
from tests.conftest import running
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
