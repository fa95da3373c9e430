"""What happens to files on their way, and what attackers do to them."""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.fuzz.files import NAMES, content

HEADER_BYTES = 512
"""In which most formats say what they are."""

EXTREMES = (b"\0\0", b"\xff\xff", b"\x7f\xff", b"\xff\x7f", bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0")
"""What attackers write into lengths, counts and sizes."""

Change = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Overwrite:
    """Bytes that are others."""

    at: int
    others: bytes

    def __call__(self, data: bytes) -> bytes:
        return data[: self.at] + self.others + data[self.at + len(self.others) :]


@dataclass(frozen=True)
class Truncate:
    """An upload that broke off."""

    at: int

    def __call__(self, data: bytes) -> bytes:
        return data[: self.at]


@dataclass(frozen=True)
class Splice:
    """The start of another file."""

    name: str
    at: int

    def __call__(self, data: bytes) -> bytes:
        return content(self.name)[: self.at] + data[self.at :]


@dataclass(frozen=True)
class Repeat:
    """A part that comes again, so that all that follows is somewhere else."""

    at: int
    length: int

    def __call__(self, data: bytes) -> bytes:
        return data[: self.at + self.length] + data[self.at :]


@dataclass(frozen=True)
class Mutation:
    """A good file and what is done to it. A PNG's checksums may be mended, lest nothing else is looked at."""

    name: str
    changes: tuple[Change, ...]
    mended: bool

    def __bytes__(self) -> bytes:
        data = content(self.name)
        for change in self.changes:
            data = change(data)
        return b"".join(_mended(data)) if self.mended and data.startswith(b"\x89PNG") else data


def mutations() -> st.SearchStrategy[Mutation]:
    return st.sampled_from(NAMES).flatmap(_mutations_of)


def _mutations_of(name: str) -> st.SearchStrategy[Mutation]:
    last = len(content(name)) - 1
    anywhere, in_header = st.integers(0, last), st.integers(0, min(last, HEADER_BYTES))
    others = st.binary(min_size=1, max_size=1) | st.sampled_from(EXTREMES)
    changes: st.SearchStrategy[Change] = st.one_of(
        st.builds(Overwrite, anywhere, others),
        st.builds(Overwrite, in_header, others),
        st.builds(Truncate, anywhere),
        st.builds(Splice, st.sampled_from(NAMES), in_header),
        st.builds(Repeat, anywhere, st.integers(1, 1000)),
    )
    some = st.lists(changes, min_size=1, max_size=3).map(tuple)
    return st.builds(Mutation, st.just(name), some, st.booleans())


def _mended(png: bytes) -> Iterator[bytes]:
    yield png[:8]
    at = 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4])
        yield png[at:end] + struct.pack(">I", zlib.crc32(png[at + 4 : end]))
        at = end + 4
