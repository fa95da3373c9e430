"""What the process that decodes a photo answers to the worker, which believes none of it unchecked.

An answer is a header of fixed size and as many bytes as that says: each result, and how the work ended. What a result
is, and may be, is known to whoever had it made.
"""

import struct
from collections.abc import Callable, Generator, Iterator
from enum import IntEnum
from typing import IO, Any, NamedTuple, Protocol

from workers.image import BadImage

MAX_TEXT_BYTES = 4096

_HEADER = struct.Struct("!BBHHI")


class _Ending(IntEnum):
    """The kinds of answers that end the work; those of results are other numbers."""

    DONE = 0
    BAD_IMAGE = 1
    FAILED = 2


RESULT = 16
"""From which on a number is a kind of result."""


class Header(NamedTuple):
    """What an answer begins with: what it is, one of several, its size in pixels, and the bytes that follow."""

    kind: int
    number: int
    width: int
    height: int
    size: int


class Answer(NamedTuple):
    """A result on its way to the worker; see `Header`."""

    kind: int
    data: bytes
    number: int = 0
    width: int = 0
    height: int = 0


Work = Callable[[bytes, dict[str, Any]], Iterator[Answer]]
"""What is done with a file, the process that does it already confined: from its content and JSON to results."""


class Expected(Protocol):
    """What results are wanted of the work on one photo."""

    def check(self, header: Header) -> None:
        """Raise SandboxError where a result begins so that was not asked for, or is larger than it can be."""

    def is_complete(self) -> bool:
        """Whether nothing is missing."""


class SandboxError(RuntimeError):
    """The work on a photo could not be done, and nothing says that it is the photo's fault."""


class DecoderError(Exception):
    """What went wrong in a decoder, as the process that ran it has put it."""

    def __repr__(self) -> str:
        return str(self)


class Answers:
    """What writes answers about one photo."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, result: Answer) -> None:
        """Send a result."""
        self._file.write(_HEADER.pack(result.kind, result.number, result.width, result.height, len(result.data)))
        self._file.write(result.data)
        self._file.flush()

    def done(self) -> None:
        """Say that there is no more to come."""
        self.write(Answer(_Ending.DONE, b""))

    def bad_image(self, sentence: str, cause: str) -> None:
        """Say that the file is at fault: a sentence for the person who uploaded it, and what the log should say."""
        text = f"{sentence}\n{cause}".encode(errors="backslashreplace")
        self.write(Answer(_Ending.BAD_IMAGE, text[:MAX_TEXT_BYTES]))

    def failed(self, error: str) -> None:
        """Say that we are at fault: a traceback."""
        self.write(Answer(_Ending.FAILED, error.encode(errors="backslashreplace")[-MAX_TEXT_BYTES:]))


def read_answers(file: IO[bytes], expected: Expected) -> Generator[Answer, None, Exception | None]:
    """Yield the results as they come, and return what they ended with.

    That is None if all have come, or what there is to raise: a BadImage, a SandboxError, or EOFError if they broke off.

    Raises:
        SandboxError: The answers are not what was asked for, or more than that.
    """
    try:
        while True:
            header = Header(*_HEADER.unpack(_read(file, _HEADER.size)))
            match header.kind:
                case _Ending.DONE if expected.is_complete():
                    return None
                case _Ending.BAD_IMAGE:
                    return _bad_image(file, header.size)
                case _Ending.FAILED:
                    return _failure(file, header.size)
                case kind:
                    expected.check(header)
                    yield Answer(kind, _read(file, header.size), header.number, header.width, header.height)
    except EOFError as error:
        return error


def _read(file: IO[bytes], size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise EOFError
    return content


def _bad_image(file: IO[bytes], size: int) -> BadImage:
    sentence, _, cause = _read_text(file, size).partition("\n")
    if not sentence or not f"{sentence}{cause}".isprintable():
        raise SandboxError("answered with a sentence that is none")
    bad = BadImage(sentence)
    bad.__cause__ = DecoderError(cause)
    return bad


def _failure(file: IO[bytes], size: int) -> SandboxError:
    text = _read_text(file, size).strip()
    lines = [line if line.isprintable() else ascii(line) for line in text.splitlines()] or [""]
    error = SandboxError(lines[-1])
    error.add_note("\n".join(lines))
    return error


def _read_text(file: IO[bytes], size: int) -> str:
    if size > MAX_TEXT_BYTES:
        raise SandboxError(f"answered with a text of {size} bytes")
    return _read(file, size).decode(errors="backslashreplace")
