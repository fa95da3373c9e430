"""The sizes of the frames in an AVIF as its AV1 data codes them, whatever the file around them claims.

Readers of AVIF believe the file's `ispe` property, and libavif scales what it decodes to that. So a file of 4 KB can
pass for a picture of 100 × 100 pixels although it takes as much to decode as the 200 megapixels that it codes.
"""

from collections.abc import Iterator

_MAX_PIECES = 10_000
"""Boxes beside each other, items and their extents, and OBUs: far more than a picture has, walked through at once."""

_MAX_MOVIE_BYTES = 8 << 20
_MAX_SEQUENCE_HEADER_BYTES = 512
_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6


def coded_sizes(data: bytes) -> list[tuple[int, int]]:
    """Return the width and height of each frame that is decoded, at most, to show the first picture of an AVIF.

    These are the frames of all items (tiles, transparency, thumbnails) and of every track's first sample. Each size is
    the largest that the sequence header allows; a valid frame is no larger.

    Raises:
        ValueError: the file is damaged, or in more pieces than any picture.
    """
    sizes: list[tuple[int, int]] = []
    obus = 0
    for part in _coded_data(memoryview(data)):
        sequence = None
        for kind, payload in _obus(part):
            obus += 1
            if obus > _MAX_PIECES:
                raise ValueError("too many OBUs")
            if kind == _SEQUENCE_HEADER:
                sequence = _sequence_size(payload)
            elif kind in (_FRAME_HEADER, _FRAME):
                if sequence is None:
                    raise ValueError("a frame without a sequence header")
                sizes.append(sequence)
    return sizes


def _coded_data(file: memoryview) -> Iterator[memoryview]:
    for meta in _find(file, b"meta"):
        inside = meta[4:]
        item_data = memoryview(b"".join(_find(inside, b"idat")))
        for locations in _find(inside, b"iloc"):
            yield from _items(locations, file, item_data)
    for samples in _find(file, b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        size = max((_first_sample_bytes(box) for box in _find(samples, b"stsz")), default=0)
        for kind, width in ((b"stco", 4), (b"co64", 8)):
            for box in _find(samples, kind):
                start = int.from_bytes(box[8 : 8 + width])
                yield file[start : start + size]


def _find(view: memoryview, kind: bytes, *below: bytes) -> Iterator[memoryview]:
    """Yield the content of the boxes of a kind (ISO/IEC 14496-12, section 4.2), or of those on a path below them."""
    for _ in range(_MAX_PIECES):
        if len(view) < 8:
            return
        size, header = int.from_bytes(view[:4]), 8
        if size == 1:
            size, header = int.from_bytes(view[8:16]), 16
        elif size == 0:
            size = len(view)
        if size < header:
            raise ValueError("a box smaller than its header")
        if view[4:8] == kind:
            content = view[header:size]
            if below and len(content) > _MAX_MOVIE_BYTES:
                raise ValueError("too much besides the picture")
            yield from _find(content, *below) if below else [content]
        view = view[size:]
    raise ValueError("too many boxes")


def _items(locations: memoryview, file: memoryview, item_data: memoryview) -> Iterator[memoryview]:
    """Yield the data of each item (ISO/IEC 14496-12, section 8.11.3)."""
    fields = _Fields(locations)
    version = fields.read(8)
    fields.read(24)
    offset_bits, length_bits, base_bits, index_bits = (8 * fields.read(4) for _ in range(4))
    pieces = joined = 0
    for _ in range(_limited(fields.read(32 if version == 2 else 16))):
        fields.read(32 if version == 2 else 16)
        in_item_data = version > 0 and fields.read(16) & 15 == 1
        fields.read(16)
        base = fields.read(base_bits)
        extents = []
        count = fields.read(16)
        pieces = _limited(pieces + count)
        for _ in range(count):
            if version > 0:
                fields.read(index_bits)
            start = base + fields.read(offset_bits)
            length = fields.read(length_bits) or len(file)
            extents.append((item_data if in_item_data else file)[start : start + length])
        if len(extents) == 1:
            yield extents[0]
            continue
        joined += sum(map(len, extents))
        if joined > len(file):
            raise ValueError("items overlap")
        yield memoryview(b"".join(extents))


def _first_sample_bytes(sample_sizes: memoryview) -> int:
    return int.from_bytes(sample_sizes[4:8]) or int.from_bytes(sample_sizes[12:16])


def _obus(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the type and payload of each unit of AV1 data (AV1 specification, section 5.3)."""
    while len(view) > 0:
        header = view[0]
        view = view[2 if header & 4 else 1 :]
        size = len(view)
        if header & 2:
            size, digits = 0, 0
            for digits, byte in enumerate(view[:8]):
                size |= (byte & 0x7F) << 7 * digits
                if byte < 0x80:
                    break
            view = view[digits + 1 :]
        yield header >> 3 & 15, view[:size]
        view = view[size:]


def _sequence_size(payload: memoryview) -> tuple[int, int]:
    """Return the largest width and height of a sequence's frames (AV1 specification, section 5.5)."""
    fields = _Fields(payload[:_MAX_SEQUENCE_HEADER_BYTES])
    fields.read(4)
    if fields.read(1):  # a reduced header, for a still picture
        fields.read(5)
    else:
        _skip_to_size(fields)
    width_bits, height_bits = fields.read(4) + 1, fields.read(4) + 1
    return fields.read(width_bits) + 1, fields.read(height_bits) + 1


def _skip_to_size(fields: "_Fields") -> None:
    has_decoder_model, delay_bits = 0, 0
    if fields.read(1):  # timing
        fields.read(64)
        if fields.read(1):  # a number of as many bits as there are zeros before it
            zeros = 0
            while not fields.read(1):
                zeros += 1
            fields.read(zeros)
        has_decoder_model = fields.read(1)
        if has_decoder_model:
            delay_bits = fields.read(5) + 1
            fields.read(42)
    has_display_delay = fields.read(1)
    for _ in range(fields.read(5) + 1):  # operating points
        fields.read(12)
        if fields.read(5) > 7:
            fields.read(1)
        if has_decoder_model and fields.read(1):
            fields.read(2 * delay_bits + 1)
        if has_display_delay and fields.read(1):
            fields.read(4)


def _limited(count: int) -> int:
    if count > _MAX_PIECES:
        raise ValueError(f"{count} pieces")
    return count


class _Fields:
    """Reads numbers of so many bits each, one after the other."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._position = 0

    def read(self, bits: int) -> int:
        start, self._position = self._position, self._position + bits
        if self._position > 8 * len(self._data):
            raise ValueError("ends too early")
        covering = int.from_bytes(self._data[start // 8 : (self._position + 7) // 8])
        return covering >> -self._position % 8 & (1 << bits) - 1
