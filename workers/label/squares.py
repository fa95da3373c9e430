"""The parts of a photo that a network looks at, as it wants its pictures: for uploaded files, in the sandbox."""

import atexit
from collections.abc import Iterator
from contextlib import closing
from typing import IO, Any

import numpy as np

from photofleet.images.formats import Format
from workers.image import decode, flatten
from workers.label.crops import MOST, crops
from workers.label.engine import Batch
from workers.label.preprocessing import Preprocessing
from workers.sandbox import Sandbox, SandboxError
from workers.sandbox.answers import RESULT, Answer, Header


def read_squares(original: bytes, format: Format, preprocessing: Preprocessing, *, max_pixels: int) -> Batch:
    """Decode a picture, no larger than the network needs it, and cut its squares.

    Args:
        original: The file.
        format: What it is.
        preprocessing: How the network wants its pictures.
        max_pixels: The limit on width × height.

    Returns:
        The pixels, of shape (n, size, size, 3).

    Raises:
        BadImage: The file is damaged, incomplete, too large or otherwise undecodable.
    """
    least = preprocessing.short_side
    image = flatten(decode(original, format, at_least=(least, least), max_pixels=max_pixels))
    return np.stack([preprocessing.pixels(image, square) for square in crops(*image.size, preprocessing.crop)])


def read_squares_of_stranger(
    file: IO[bytes],
    format: Format,
    preprocessing: Preprocessing,
    *,
    max_pixels: int,
    sandbox: Sandbox | None = None,
) -> Batch:
    """Do the same with a file that somebody has uploaded, which must be a real one.

    Raises:
        BadImage: The file is at fault.
        SandboxError: We are, or may be; see `Sandbox.run`.
    """
    arguments = {"format": format, "preprocessing": preprocessing.as_json(), "max_pixels": max_pixels}
    size = preprocessing.size
    with closing((sandbox or _sandbox).run(file, arguments, _Squares(size), max_pixels=max_pixels)) as answers:
        (answer,) = answers
    return np.frombuffer(answer.data, np.uint8).reshape(answer.number, size, size, 3)


def work(content: bytes, arguments: dict[str, Any]) -> Iterator[Answer]:
    """Cut the squares in the sandbox."""
    squares = read_squares(
        content,
        Format.named(arguments["format"]),
        Preprocessing.from_json(arguments["preprocessing"]),
        max_pixels=arguments["max_pixels"],
    )
    count, height, width, _ = squares.shape
    yield Answer(RESULT, squares.tobytes(), count, width, height)


class _Squares:
    """What results there have to be: one, with as many squares of the network's size as it says."""

    def __init__(self, size: int) -> None:
        self._size, self._is_complete = size, False

    def check(self, header: Header) -> None:
        """Refuse anything else. Raises SandboxError."""
        count, bytes_each = header.number, 3 * self._size**2
        fits = 1 <= count <= MOST and header.width == header.height == self._size and header.size == count * bytes_each
        if header.kind != RESULT or self._is_complete or not fits:
            raise SandboxError(f"answered with no squares of {self._size} pixels: {header}")
        self._is_complete = True

    def is_complete(self) -> bool:
        """Whether they have come."""
        return self._is_complete


_sandbox = Sandbox("workers.label.squares:work")
atexit.register(_sandbox.close)
