"""The segments of a JPEG, read from its structure alone (ITU-T T.81, annex B)."""

import re
from collections.abc import Iterator
from typing import IO, NamedTuple

START_OF_SCAN = 0xDA

#: Even a gigabyte of metadata, which comes in segments of 64 KB, makes fewer.
MAX_SEGMENTS = 100_000

_END_OF_IMAGE = 0xD9
# A marker that ends the picture, or one with its two bytes of length. The other codes are either part of compressed
# data, or nothing that a decoder would go on from.
_MARKER = re.compile(rb"\xff(?:\xd9|[\xc0-\xcf\xda-\xfe](..))", re.DOTALL)
_LONGEST_MARKER = 4
_CHUNK_BYTES = 1 << 20


class Segment(NamedTuple):
    """What a marker starts: its code, where in the file its content stands, and how many bytes that claims to have."""

    marker: int
    start: int
    length: int


def segments(file: IO[bytes]) -> Iterator[Segment]:
    """Yield the segments of the first picture in a file, up to its end or that of the file.

    Compressed data and stray bytes are skipped as libjpeg skips them, so that no marker that it acts upon is missed.
    No more than a chunk of the file is held. The caller may move the file's position meanwhile.

    Raises:
        ValueError: there are more than `MAX_SEGMENTS`.
    """
    chunk, chunk_start, position, is_last, count = b"", 0, 2, False, 0
    while True:
        found = _MARKER.search(chunk, position - chunk_start)
        if found is None:
            if is_last:
                return
            chunk_start = position = max(position, chunk_start + len(chunk) - _LONGEST_MARKER + 1)
            file.seek(position)
            chunk = file.read(_CHUNK_BYTES)
            is_last = len(chunk) < _CHUNK_BYTES
            continue
        marker = chunk[found.start() + 1]
        if marker == _END_OF_IMAGE:
            return
        segment = Segment(marker, chunk_start + found.end(), max(0, int.from_bytes(found[1]) - 2))
        position = segment.start + segment.length
        count += 1
        if count > MAX_SEGMENTS:
            raise ValueError(f"more than {MAX_SEGMENTS} segments")
        yield segment
