"""The tags of a TIFF's first picture, read from its structure alone (TIFF 6.0, section 2)."""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import IO, NamedTuple

MAX_ENTRIES = 4096
"""Of a directory, as in libtiff; an ordinary picture has 20."""

MAX_TEXT = 1024

_HEADER_BYTES, _ENTRY_BYTES = 8, 12
_ASCII = 2
_NUMBERS = {1: "B", 3: "H", 4: "L", 13: "L"}
"""The types of whole numbers, each as `struct` calls it; the last is an offset of a directory."""


class Tag(IntEnum):
    """What a directory says, by the numbers that TIFF and EXIF give it."""

    SUBFILE_TYPE = 254
    WIDTH = 256
    HEIGHT = 257
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES_PER_PIXEL = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTE_COUNTS = 279
    PLANAR_CONFIGURATION = 284
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILE_OFFSETS = 324
    TILE_BYTE_COUNTS = 325
    EXIF = 34665
    TAKEN = 36867
    TAKEN_OFFSET = 36881


_TAGS = frozenset(Tag)


class _Entry(NamedTuple):
    kind: int
    length: int
    value: bytes


class Directory:
    """What a TIFF says about its first picture, or in a directory that belongs to it.

    A value is read when it is asked for, and only what is asked for.
    """

    def __init__(self, file: IO[bytes], order: str, offset: int) -> None:
        """Read which tags there are.

        Raises:
            ValueError: there is no directory here, one of more tags than any picture has, or one that says a thing
                twice, of which decoders may believe either.
        """
        self._file, self._order = file, order
        (count,) = struct.unpack(f"{order}H", _read_at(file, offset, 2))
        if count > MAX_ENTRIES:
            raise ValueError(f"{count} tags")
        self._entries: dict[int, _Entry] = {}
        for tag, *entry in struct.iter_unpack(f"{order}HHL4s", _read_at(file, offset + 2, count * _ENTRY_BYTES)):
            if tag in _TAGS and tag in self._entries:
                raise ValueError(f"{Tag(tag).name} twice")
            self._entries[tag] = _Entry(*entry)

    def __contains__(self, tag: Tag) -> bool:
        return tag in self._entries

    def numbers(self, tag: Tag, *, most: int) -> Sequence[int]:
        """Return the whole numbers of a tag, none if it is missing.

        Raises:
            ValueError: they are something else, more than `most`, or beyond the end of the file.
        """
        if tag not in self._entries:
            return ()
        entry = self._entries[tag]
        if entry.kind not in _NUMBERS or not 0 < entry.length <= most:
            raise ValueError(f"{tag.name} has {entry.length} values of type {entry.kind}")
        unit = _NUMBERS[entry.kind]
        return struct.unpack(f"{self._order}{entry.length}{unit}", self._value(entry, struct.calcsize(f"={unit}")))

    def number(self, tag: Tag, default: int) -> int:
        """Return the whole number of a tag; the default if it is missing.

        Raises:
            ValueError: it is something else.
        """
        numbers = self.numbers(tag, most=1)
        return numbers[0] if numbers else default

    def count(self, tag: Tag) -> int:
        """Return how many values a tag has."""
        return self._entries[tag].length if tag in self else 0

    def text(self, tag: Tag) -> str:
        """Return the text of a tag, none if it is missing.

        Raises:
            ValueError: it is something else, longer than `MAX_TEXT`, or beyond the end of the file.
        """
        if tag not in self._entries:
            return ""
        entry = self._entries[tag]
        if entry.kind != _ASCII or entry.length > MAX_TEXT:
            raise ValueError(f"{tag.name} has {entry.length} values of type {entry.kind}")
        return self._value(entry, 1).decode("ascii")

    def directory(self, tag: Tag) -> "Directory":
        """Return the directory that a tag leads to.

        Raises:
            ValueError: it leads to none.
        """
        return Directory(self._file, self._order, self.number(tag, 0))

    def _value(self, entry: _Entry, unit_bytes: int) -> bytes:
        size = entry.length * unit_bytes
        if size <= len(entry.value):
            return entry.value[:size]
        (offset,) = struct.unpack(f"{self._order}L", entry.value)
        return _read_at(self._file, offset, size)


def first_directory(file: IO[bytes]) -> Directory:
    """Return what a TIFF says about its first picture.

    Raises:
        ValueError: the file is damaged, or says more than any picture needs.
    """
    header = _read_at(file, 0, _HEADER_BYTES)
    order = "<" if header.startswith(b"II") else ">"
    (offset,) = struct.unpack(f"{order}L", header[4:])
    return Directory(file, order, offset)


def _read_at(file: IO[bytes], offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) < size:
        raise ValueError("ends too early")
    return data
