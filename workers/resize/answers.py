"""What the process that decodes a photo answers to the worker, which believes none of it unchecked.

An answer is a header of fixed size and as many bytes as that says: the placeholder, each rendition, and how it ended.
"""

import re
import struct
from collections.abc import Generator, Sequence
from enum import IntEnum
from typing import IO

from photofleet.images.formats import SNIFF_BYTES, Format, sniff
from photofleet.images.renditions import MAX_SIDE, Mode, RenditionSpec
from workers.image import BadImage
from workers.resize.results import Placeholder, Rendition

MAX_PREVIEW_BYTES = 1024
MAX_TEXT_BYTES = 4096

_MAX_BYTES_PER_PIXEL = 4
"""More than the best quality of noise takes in any format that we make."""

_MAX_OVERHEAD_BYTES = 65_536
"""Of a file, beside its pixels."""

_HEADER = struct.Struct("!BBHHI")  # kind, which spec, width, height, bytes that follow
_COLOUR = re.compile(rb"#[0-9a-f]{6}")


class _Kind(IntEnum):
    PLACEHOLDER = 1
    RENDITION = 2
    DONE = 3
    BAD_IMAGE = 4
    FAILED = 5


class SandboxError(RuntimeError):
    """A photo could not be rendered, and nothing says that it is the photo's fault."""


class DecoderError(Exception):
    """What went wrong in a decoder, as the process that ran it has put it."""

    def __repr__(self) -> str:
        return str(self)


class Answers:
    """What writes answers about one photo."""

    def __init__(self, file: IO[bytes], specs: Sequence[RenditionSpec]) -> None:
        self._file, self._specs = file, specs

    def write(self, result: Placeholder | Rendition) -> None:
        """Send a result."""
        match result:
            case Placeholder(preview, colour):
                self._send(_Kind.PLACEHOLDER, colour.encode() + (preview or b""))
            case Rendition(spec, width, height, data):
                self._send(_Kind.RENDITION, data, self._specs.index(spec), width, height)

    def done(self) -> None:
        """Say that there is no more to come."""
        self._send(_Kind.DONE)

    def bad_image(self, sentence: str, cause: str) -> None:
        """Say that the file is at fault: a sentence for the person who uploaded it, and what the log should say."""
        self._send(_Kind.BAD_IMAGE, f"{sentence}\n{cause}".encode(errors="backslashreplace")[:MAX_TEXT_BYTES])

    def failed(self, error: str) -> None:
        """Say that we are at fault: a traceback."""
        self._send(_Kind.FAILED, error.encode(errors="backslashreplace")[-MAX_TEXT_BYTES:])

    def _send(self, kind: _Kind, content: bytes = b"", spec: int = 0, width: int = 0, height: int = 0) -> None:
        self._file.write(_HEADER.pack(kind, spec, width, height, len(content)))
        self._file.write(content)
        self._file.flush()


def read_answers(
    file: IO[bytes], specs: Sequence[RenditionSpec], *, max_pixels: int
) -> Generator[Placeholder | Rendition, None, Exception | None]:
    """Yield the results as they come, and return what they ended with.

    That is None if all have come, or what there is to raise: a BadImage, a SandboxError, or EOFError if they broke off.

    Raises:
        SandboxError: The answers are not what was asked for, or more than that.
    """
    owed = dict(enumerate(specs))
    has_placeholder = False
    try:
        while True:
            number, index, width, height, size = _HEADER.unpack(_read(file, _HEADER.size))
            match number:
                case _Kind.RENDITION if index in owed:
                    yield _rendition(file, owed.pop(index), width, height, size, max_pixels)
                case _Kind.PLACEHOLDER if not has_placeholder:
                    has_placeholder = True
                    yield _placeholder(file, size)
                case _Kind.DONE if has_placeholder:
                    return None
                case _Kind.BAD_IMAGE:
                    return _bad_image(file, size)
                case _Kind.FAILED:
                    return _failure(file, size)
                case _:
                    raise SandboxError(f"answered out of turn: {number}, {index}")
    except EOFError as error:
        return error


def _read(file: IO[bytes], size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise EOFError
    return content


def _rendition(file: IO[bytes], spec: RenditionSpec, width: int, height: int, size: int, max_pixels: int) -> Rendition:
    fits = 1 <= width <= spec.width and 1 <= height <= (spec.height or MAX_SIDE) and width * height <= max_pixels
    pixels = max_pixels if spec.mode is Mode.ANIMATION else width * height  # those of all its frames
    if not fits or size > pixels * _MAX_BYTES_PER_PIXEL + _MAX_OVERHEAD_BYTES:
        raise SandboxError(f"answered with a {spec.name} of {width} × {height} pixels in {size} bytes")
    data = _read(file, size)
    if sniff(data[:SNIFF_BYTES]) is not spec.format:
        raise SandboxError(f"answered with a {spec.name} that is no {spec.format.display_name}")
    return Rendition(spec, width, height, data)


def _placeholder(file: IO[bytes], size: int) -> Placeholder:
    if size > len("#rrggbb") + MAX_PREVIEW_BYTES:
        raise SandboxError(f"answered with a placeholder of {size} bytes")
    content = _read(file, size)
    colour, preview = content[: len("#rrggbb")], content[len("#rrggbb") :]
    if not _COLOUR.fullmatch(colour) or (preview and sniff(preview) is not Format.WEBP):
        raise SandboxError("answered with a placeholder that is none")
    return Placeholder(preview or None, colour.decode())


def _bad_image(file: IO[bytes], size: int) -> BadImage:
    sentence, _, cause = _read_text(file, size).partition("\n")
    if not sentence or not f"{sentence}{cause}".isprintable():
        raise SandboxError("answered with a sentence that is none")
    bad = BadImage(sentence)
    bad.__cause__ = DecoderError(cause)
    return bad


def _failure(file: IO[bytes], size: int) -> SandboxError:
    text = _read_text(file, size).strip()
    error = SandboxError(text.rpartition("\n")[2])
    error.add_note(text)
    return error


def _read_text(file: IO[bytes], size: int) -> str:
    if size > MAX_TEXT_BYTES:
        raise SandboxError(f"answered with a text of {size} bytes")
    return _read(file, size).decode(errors="backslashreplace")
