"""What a decoder in the label fleet's sandbox may answer when a file has got the better of it."""

from collections.abc import Iterator
from typing import Any

from workers.label.crops import MOST
from workers.sandbox.answers import RESULT, Answer

SIZE = 260
SQUARE = bytes(3 * SIZE * SIZE)


def work(content: bytes, _: dict[str, Any]) -> Iterator[Answer]:
    yield from globals()[content.decode()]()


def nothing() -> Iterator[Answer]:
    yield from ()


def none_at_all() -> Iterator[Answer]:
    yield Answer(RESULT, b"", 0, SIZE, SIZE)


def too_many() -> Iterator[Answer]:
    yield Answer(RESULT, SQUARE * (MOST + 1), MOST + 1, SIZE, SIZE)


def fewer_than_said() -> Iterator[Answer]:
    yield Answer(RESULT, SQUARE, 2, SIZE, SIZE)


def of_another_size() -> Iterator[Answer]:
    yield Answer(RESULT, bytes(3 * 10 * 10), 1, 10, 10)


def of_another_kind() -> Iterator[Answer]:
    yield Answer(RESULT + 1, SQUARE, 1, SIZE, SIZE)


def twice() -> Iterator[Answer]:
    yield Answer(RESULT, SQUARE, 1, SIZE, SIZE)
    yield Answer(RESULT, SQUARE, 1, SIZE, SIZE)
