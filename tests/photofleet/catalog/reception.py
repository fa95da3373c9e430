"""The beginning of a conversation with PostgreSQL, up to the password: who came, and with what. Nobody gets in.

https://www.postgresql.org/docs/current/protocol-flow.html, "Start-up", and "Message Formats"
"""

import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

from tests.tls_front import SSL_REQUEST

_LENGTH = _VERSION = struct.Struct("!i")
_CLEARTEXT_PASSWORD = struct.pack("!cii", b"R", 8, 3)
_REFUSAL = b"SFATAL\0C28P01\0Mpassword authentication failed\0\0"


@dataclass(frozen=True)
class Visit:
    """Somebody who wanted to sign in."""

    user: str
    password: str
    is_encrypted: bool


@contextmanager
def reception(context: ssl.SSLContext | None) -> Iterator[tuple[int, Sequence[Visit]]]:
    """Receive visitors on a port of loopback, over TLS or, without a context, not; yield the port and the visits."""
    visits: list[Visit] = []

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, EOFError):  # who mistrusts us leaves
                _receive(self.request, context, visits)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1], visits
        finally:
            server.shutdown()
            thread.join()


def _receive(connection: Any, context: ssl.SSLContext | None, visits: list[Visit]) -> None:
    message = _read_message(connection)
    if message != SSL_REQUEST[_LENGTH.size :]:
        _turn_away(connection, message, visits)
    elif context is None:
        connection.sendall(b"N")
        _turn_away(connection, _read_message(connection), visits)
    else:
        connection.sendall(b"S")
        with context.wrap_socket(connection, server_side=True) as encrypted:
            _turn_away(encrypted, _read_message(encrypted), visits)


def _turn_away(connection: Any, message: bytes, visits: list[Visit]) -> None:
    words = message[_VERSION.size :].decode().split("\0")
    parameters = dict(zip(words[::2], words[1::2], strict=False))
    connection.sendall(_CLEARTEXT_PASSWORD)
    _read(connection, 1)
    password = _read_message(connection).decode().removesuffix("\0")
    visits.append(Visit(parameters["user"], password, isinstance(connection, ssl.SSLSocket)))
    connection.sendall(b"E" + _LENGTH.pack(len(_REFUSAL) + _LENGTH.size) + _REFUSAL)


def _read_message(connection: Any) -> bytes:
    (length,) = _LENGTH.unpack(_read(connection, _LENGTH.size))
    return _read(connection, length - _LENGTH.size)


def _read(connection: Any, length: int) -> bytes:
    data = b""
    while len(data) < length:
        if not (more := connection.recv(length - len(data))):
            raise EOFError
        data += more
    return data
