"""Size, frame count and EXIF of a JPEG, PNG, GIF or WebP, read from its structure alone.

Pillow could tell these too, but opening a file with it is not bounded: a JPEG of 8 MB made of empty segments
keeps it busy for 19 seconds, a GIF of 20 MB for 6, a PNG's text is read into memory whole, and the header
of a GIF or WebP makes it allocate a canvas. Here data is skipped rather than read, and the number of reads is bounded.
"""

import os
import struct
from dataclasses import dataclass, field
from typing import IO

from photofleet.images.jpeg import START_OF_SCAN, segments
from webapp.uploads.exif import MAX_EXIF_BYTES, Exif, parse_exif

#: Enough for a GIF of 100 MB in blocks of the usual 255 bytes; takes well under a second.
MAX_READS = 500_000
MAX_PNG_METADATA_BYTES = 8 << 20


class MalformedHeaderError(ValueError):
    """The file is not what its first bytes promise."""


class ExcessiveMetadataError(ValueError):
    """The file carries more besides the picture than we are willing to wade through."""


@dataclass(frozen=True)
class Header:
    """What a file says about its picture: stored size in pixels, number of frames, EXIF."""

    width: int
    height: int
    frames: int = 1
    exif: Exif = field(default_factory=Exif)


def read_jpeg(file: IO[bytes]) -> Header:
    """Read the segments up to the first scan (ITU-T T.81, annex B).

    More pictures may follow the first one (a gain map, a stereo pair). Nothing of ours ever decodes them, so
    they are not counted.
    """
    size: tuple[int, int] | None = None
    exif = b""
    for marker, start, length in segments(file):
        if marker == START_OF_SCAN:
            break
        if marker in _START_OF_FRAME:
            precision, height, width = struct.unpack(">BHH", _read_at(file, start, 5))
            if precision != 8:
                raise MalformedHeaderError(f"{precision} bits a sample")
            size = width, height
        elif marker == 0xE1 and not exif:
            segment = _read_at(file, start, length)
            if segment.startswith(b"Exif\0\0"):
                exif = segment
    else:
        raise MalformedHeaderError("no scan")
    if size is None:
        raise MalformedHeaderError("no frame before the first scan")
    return Header(*size, exif=parse_exif(exif))


_START_OF_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _read_at(file: IO[bytes], start: int, size: int) -> bytes:
    file.seek(start)
    data = file.read(size)
    if len(data) < size:
        raise MalformedHeaderError("ends too early")
    return data


def read_png(file: IO[bytes]) -> Header:
    """Walk the chunks to the end (https://www.w3.org/TR/png-3/), as EXIF may follow the picture."""
    reader = _Reader(file)
    reader.skip(8)
    length, kind = _png_chunk(reader)
    if kind != b"IHDR" or length != 13:
        raise MalformedHeaderError("no IHDR chunk at the start")
    width, height = struct.unpack(">II", reader.read(8))
    reader.skip(9)
    frames, exif, has_data = 1, b"", False
    while kind != b"IEND":
        try:
            length, kind = _png_chunk(reader)
        except MalformedHeaderError:
            if has_data:
                break  # cut short or damaged in the picture itself, as decoding it will tell
            raise
        has_data = has_data or kind == b"IDAT"
        if kind not in (b"IDAT", b"fdAT") and length > MAX_PNG_METADATA_BYTES:
            raise ExcessiveMetadataError(f"a {kind!r} chunk of {length} bytes")
        if kind == b"acTL" and length == 8 and not has_data:
            frames = max(1, int.from_bytes(reader.read(4)))
            length -= 4
        elif kind == b"eXIf" and length <= MAX_EXIF_BYTES:
            exif = reader.read(length)
            length = 0
        reader.skip(length + 4)
    return Header(width, height, frames, parse_exif(exif))


def _png_chunk(reader: "_Reader") -> tuple[int, bytes]:
    length, kind = struct.unpack(">I4s", reader.read(8))
    if not kind.isalpha():
        raise MalformedHeaderError(f"a chunk named {kind!r}")
    return length, kind


def read_gif(file: IO[bytes]) -> Header:
    """Walk the blocks to the end, skipping compressed data (https://www.w3.org/Graphics/GIF/spec-gif89a.txt).

    A canvas smaller than its first frame counts as large as that frame, as Pillow decodes it.
    """
    reader = _Reader(file)
    reader.skip(6)
    width, height, flags = struct.unpack("<HHB", reader.read(5))
    reader.skip(2 + _colour_table_bytes(flags))
    frames = 0
    try:
        while (block := reader.read(1)) != b";":
            if block not in b"!,":
                continue  # as Pillow does
            if block == b"!":
                reader.skip(1)
            else:
                left, top, frame_width, frame_height, flags = struct.unpack("<HHHHB", reader.read(9))
                if frames == 0:
                    width, height = max(width, left + frame_width), max(height, top + frame_height)
                frames += 1
                reader.skip(_colour_table_bytes(flags) + 1)
            while size := reader.read(1)[0]:
                reader.skip(size)
    except MalformedHeaderError:
        pass  # cut short, like a picture of another format; the frames so far count
    if frames == 0 and width * height == 0:
        raise MalformedHeaderError("neither a canvas nor a frame")
    return Header(width, height, max(1, frames))


def read_webp(file: IO[bytes]) -> Header:
    """Walk the chunks to the end, as EXIF follows the picture (RFC 9649)."""
    reader = _Reader(file)
    reader.skip(12)
    size: tuple[int, int] | None = None
    frames, exif = 0, b""
    try:
        while True:
            kind, length = struct.unpack("<4sI", reader.read(8))
            unread = length + length % 2
            if kind in _WEBP_SIZES and size is None:
                bytes_needed, parse = _WEBP_SIZES[kind]
                size = parse(reader.read(bytes_needed))
                unread -= bytes_needed
            elif kind == b"ANMF":
                frames += 1
            elif kind == b"EXIF" and length <= MAX_EXIF_BYTES:
                exif = reader.read(length)
                unread -= length
            reader.skip(unread)
    except MalformedHeaderError:
        if size is None:
            raise
    return Header(*size, max(1, frames), parse_exif(exif))


def _vp8_size(data: bytes) -> tuple[int, int]:
    if data[3:6] != b"\x9d\x01\x2a":
        raise MalformedHeaderError("no key frame")
    width, height = struct.unpack("<HH", data[6:])
    return width & 0x3FFF, height & 0x3FFF


def _vp8l_size(data: bytes) -> tuple[int, int]:
    if data[0] != 0x2F:
        raise MalformedHeaderError("no lossless bitstream")
    bits = int.from_bytes(data[1:], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _vp8x_size(data: bytes) -> tuple[int, int]:
    return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:], "little") + 1


#: The kinds of first chunk, each with the bytes of it that hold the size.
_WEBP_SIZES = {b"VP8 ": (10, _vp8_size), b"VP8L": (5, _vp8l_size), b"VP8X": (10, _vp8x_size)}


def _colour_table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


class _Reader:
    """Reads exactly what is asked for, and only so often."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._reads = 0
        file.seek(0)

    def read(self, size: int) -> bytes:
        self._reads += 1
        if self._reads > MAX_READS:
            raise ExcessiveMetadataError(f"more than {MAX_READS} pieces")
        if size < 0:
            raise MalformedHeaderError("a negative length")
        data = self._file.read(size)
        if len(data) < size:
            raise MalformedHeaderError("ends too early")
        return data

    def skip(self, size: int) -> None:
        if size < 0:
            raise MalformedHeaderError("a negative length")
        self._file.seek(size, os.SEEK_CUR)
