"""Pictures that cost far more to decode than their size in pixels lets expect, told before anything is decoded."""

import os
from typing import IO

from photofleet.images.avif import coded_sizes
from photofleet.images.formats import Format
from photofleet.images.jpeg import START_OF_SCAN, segments
from photofleet.images.tiff import Tag, first_directory

MAX_SCANS = 100
"""Of a JPEG. An ordinary progressive one has 10 (libjpeg's `jpeg_simple_progression`). Each costs a pass over the whole
picture, at 50 megapixels up to 0.1 s, however few bytes it has: see LJT-01-003 in
https://libjpeg-turbo.org/pmwiki/uploads/About/TwoIssueswiththeJPEGStandard.pdf. The limit that TurboJPEG offers
(TJFLAG_LIMITSCANS) is 500, for smaller pictures or more patience than ours."""

MAX_CODED_PICTURES = 4
"""How many times the pixel limit all frames in an AVIF may reach together: a picture, its transparency, layers."""

MAX_PIECES = 200_000
"""Strips or tiles of a TIFF: 50 megapixels in the smallest tiles that there are, of 16 × 16 pixels. A million, in a
file of 8 MB, keep Pillow busy for 10 s, although they hold hardly a pixel."""

MAX_SAMPLES = 8
"""How many samples for each pixel of the limit the pieces of a TIFF may hold: four (CMYK, or RGB and transparency), and
as many for what they hold beyond the edge of the picture, which is decoded too."""

MAX_REUSE = 4
"""How many times the size of the file the pieces of a TIFF may have together, as equal ones may share their bytes. A
decoder reads on while there are bytes, whether or not they make pixels; each piece could claim the whole file."""


class ImageBomb(ValueError):  # noqa: N818 - named for what the file is
    """A file that is damaged or made so that it costs too much to decode. Its message is for who uploaded it."""


def refuse_bomb(file: IO[bytes], format: Format, max_pixels: int) -> None:
    """Check that decoding the first picture of a file costs no more than its size lets expect.

    Of the formats that are not checked here, the decoders themselves check what they decode against its stated size.
    An AVIF is read into memory whole, as its decoder does too. `file` must be seekable; its position is undefined
    afterwards.

    Raises:
        ImageBomb: decoding would cost too much, or what it costs cannot be told.
    """
    try:
        match format:
            case Format.JPEG:
                acceptable = _is_cheap_jpeg(file)
            case Format.AVIF:
                acceptable = _is_cheap_avif(file, max_pixels)
            case Format.TIFF:
                acceptable = _is_cheap_tiff(file, max_pixels)
            case _:
                acceptable = True
    except ValueError:
        acceptable = False
    if not acceptable:
        raise ImageBomb(
            f"The {format.display_name} file is damaged, or takes far more work to decode than other pictures of its "
            "size. Export the picture again and upload the new file."
        )


def _is_cheap_jpeg(file: IO[bytes]) -> bool:
    scans = 0
    for segment in segments(file):
        scans += segment.marker == START_OF_SCAN
        if scans > MAX_SCANS:
            return False
    return True


def _is_cheap_avif(file: IO[bytes], max_pixels: int) -> bool:
    file.seek(0)
    pixels = [width * height for width, height in coded_sizes(file.read())]
    return max(pixels, default=0) <= max_pixels and sum(pixels) <= MAX_CODED_PICTURES * max_pixels


def _is_cheap_tiff(file: IO[bytes], max_pixels: int) -> bool:
    picture = first_directory(file)
    width, height = picture.number(Tag.WIDTH, 0), picture.number(Tag.HEIGHT, 0)
    strip = width * min(picture.number(Tag.ROWS_PER_STRIP, height), height)
    tile = picture.number(Tag.TILE_WIDTH, 0) * picture.number(Tag.TILE_HEIGHT, 0)
    is_planar = picture.number(Tag.PLANAR_CONFIGURATION, 1) == _PLANAR
    samples = 1 if is_planar else picture.number(Tag.SAMPLES_PER_PIXEL, 1)
    size = file.seek(0, os.SEEK_END)
    # What has both is read now as the one, now as the other.
    return all(
        picture.count(offsets) <= MAX_PIECES
        and picture.count(offsets) * piece * samples <= MAX_SAMPLES * max_pixels
        and sum(picture.numbers(byte_counts, most=MAX_PIECES)) <= MAX_REUSE * size
        for offsets, byte_counts, piece in (
            (Tag.STRIP_OFFSETS, Tag.STRIP_BYTE_COUNTS, strip),
            (Tag.TILE_OFFSETS, Tag.TILE_BYTE_COUNTS, tile),
        )
    )


#: That each piece holds one sample of its pixels: only the reds, say.
_PLANAR = 2
