import struct
import time

import pytest
from PIL import Image

from photofleet.images.avif import coded_sizes
from photofleet.images.formats import Format
from tests.pictures import animation, avif_claiming, corners, encode


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def obu(kind: int, payload: bytes = b"") -> bytes:
    return bytes([kind << 3 | 2, len(payload)]) + payload


def bits(*fields: tuple[int, int]) -> bytes:
    """Numbers, each with how many bits it has, and zeros up to the next byte."""
    text = "".join(f"{value:0{width}b}" for value, width in fields)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8)


def size_fields(width: int, height: int) -> list[tuple[int, int]]:
    return [(15, 4), (15, 4), (width - 1, 16), (height - 1, 16)]


SEQUENCE = obu(1, bits((0, 3), (1, 1), (1, 1), (0, 5), *size_fields(300, 200)))
FRAME = obu(6, b"\0")


def with_items(*items: list[bytes], in_item_data: bool = False) -> bytes:
    """A file of items, each of a list of extents, which stand in a box at the start or within the metadata."""
    offset, index, content = 0 if in_item_data else 8, b"", b""
    for number, extents in enumerate(items):
        index += struct.pack(">HHHH", number, in_item_data, 0, len(extents))
        for extent in extents:
            index += struct.pack(">II", offset + len(content), len(extent))
            content += extent
    location = box(b"iloc", struct.pack(">B3xHH", 1, 0x4400, len(items)), index)
    if in_item_data:
        return box(b"meta", bytes(4), location, box(b"idat", content))
    return box(b"mdat", content) + box(b"meta", bytes(4), location)


def with_track(sample: bytes) -> bytes:
    offset = box(b"stco", struct.pack(">4xII", 1, 8))
    size = box(b"stsz", struct.pack(">4xIII", 0, 1, len(sample)))
    content = box(b"stbl", offset, size)
    for kind in (b"minf", b"mdia", b"trak", b"moov"):
        content = box(kind, content)
    return box(b"mdat", sample, SEQUENCE, FRAME) + content


def test_the_size_is_that_of_the_coded_picture_whatever_the_file_says():
    content = encode(corners(301, 203), Format.AVIF)
    assert coded_sizes(content) == [(301, 203)]
    assert coded_sizes(avif_claiming((10, 10), content)) == [(301, 203)]


def test_transparency_counts_as_a_frame_of_its_own():
    assert coded_sizes(encode(Image.new("RGBA", (301, 203), (1, 2, 3, 4)), Format.AVIF)) == [(301, 203)] * 2


def test_of_an_animation_the_still_and_the_first_frame_count():
    frames = [Image.new("RGB", (30, 20), (80 * n, 0, 0)) for n in range(3)]
    assert coded_sizes(animation(Format.AVIF, *frames)) == [(30, 20)] * 2


@pytest.mark.parametrize(
    "header",
    [
        [(0, 3), (1, 1), (1, 1), (0, 5)],
        [(0, 3), (0, 1), (0, 1), (0, 1), (0, 1), (0, 5), (0, 12), (0, 5)],
        [(0, 3), (0, 1), (0, 1), (0, 1), (1, 1), (1, 5)] + [(0, 12), (8, 5), (1, 1), (1, 1), (9, 4)] * 2,
        # With a time of 3 zeros and as many bits, and a decoder model of 5 bits.
        [(0, 3), (0, 1), (0, 1), (1, 1), (9, 64), (1, 1), (1, 4), (5, 3), (1, 1), (4, 5), (0, 42), (0, 1)]
        + [(1, 5)]
        + [(0, 12), (7, 5), (1, 1), (0, 11)] * 2,
    ],
    ids=["reduced", "plain", "operating points", "decoder model"],
)
def test_every_kind_of_sequence_header_tells_the_size(header: list[tuple[int, int]]):
    sequence = obu(1, bits(*header, *size_fields(300, 200)))
    assert coded_sizes(with_items([sequence + FRAME])) == [(300, 200)]


@pytest.mark.parametrize(
    "content",
    [
        with_items([SEQUENCE + FRAME]),
        with_items([SEQUENCE + FRAME], in_item_data=True),
        with_items([SEQUENCE[:3], SEQUENCE[3:], FRAME]),
        with_items([b"Exif"], [obu(2) + SEQUENCE + FRAME]),
        with_items([SEQUENCE + bytes([6 << 3])]),
        with_track(SEQUENCE + FRAME),
    ],
    ids=["item", "item in the metadata", "item in parts", "second item", "frame up to the end", "track"],
)
def test_a_frame_is_found_wherever_it_stands(content: bytes):
    assert coded_sizes(content) == [(300, 200)]


def test_each_frame_has_the_size_of_the_sequence_it_is_in():
    larger = obu(1, bits((0, 3), (1, 1), (1, 1), (0, 5), *size_fields(3000, 2000)))
    assert coded_sizes(with_items([SEQUENCE + FRAME + larger + FRAME])) == [(300, 200), (3000, 2000)]


def test_a_file_cut_short_anywhere_is_told_or_given_up():
    content = encode(corners(), Format.AVIF)
    for length in range(len(content)):
        try:
            assert coded_sizes(content[:length]) in ([], [(64, 48)])
        except ValueError as error:
            assert str(error)  # noqa: PT017 - much that is missing is not needed, which is as good


@pytest.mark.parametrize(
    "content",
    [
        with_items([FRAME * 30_000]),
        box(b"free") * 30_000,
        with_items(*[[SEQUENCE + FRAME]] * 30_000),
        box(
            b"meta",
            bytes(4),
            box(b"iloc", struct.pack(">B3xHH", 1, 0, 9999), struct.pack(">HHHH", 0, 1, 0, 9999) * 9999),
        ),
        box(b"moov", bytes(9_000_000)),
        box(b"meta", bytes(4), box(b"iloc", b"\x01")),
        struct.pack(">I4s", 3, b"meta"),
    ],
    ids=["OBUs", "boxes", "items", "extents of nothing", "movie", "index cut short", "negative box"],
)
def test_a_file_in_too_many_pieces_or_damaged_is_given_up_before_it_takes_long(content: bytes):
    started = time.process_time()
    with pytest.raises(ValueError, match=r"."):
        coded_sizes(content)
    assert time.process_time() - started < 2
