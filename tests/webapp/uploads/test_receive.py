import tracemalloc
from collections.abc import Iterator
from io import RawIOBase

from werkzeug.test import create_environ

from tests.webapp.multipart import END, MULTIPART, part
from webapp.uploads.receive import UploadRequest

SIZE = 40_000_000


class Body(RawIOBase):
    """A form with a file of SIZE bytes, made as it is read."""

    def __init__(self) -> None:
        self._chunks = self._make()
        self._rest = b""
        self.length = len(part(b"", "large.jpg")) + SIZE + len(END)

    @staticmethod
    def _make() -> Iterator[bytes]:
        head, tail = part(b"|", "large.jpg").split(b"|", 1)
        yield head
        for _ in range(SIZE // 10_000):
            yield b"x" * 10_000
        yield tail + END

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._rest = self._rest or next(self._chunks, b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def test_a_file_is_received_without_being_held_in_memory(service: None) -> None:
    body = Body()
    form = {"CONTENT_TYPE": MULTIPART, "CONTENT_LENGTH": str(body.length), "wsgi.input": body}
    environ = create_environ(method="POST") | form
    tracemalloc.start()
    try:
        request = UploadRequest(environ)
        (received,) = request.files.getlist("photo")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert received.stream.size == SIZE  # type: ignore[attr-defined]
    assert peak < SIZE / 10
    request.close()
