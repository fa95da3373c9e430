"""The pixels of a photo: read from its file, and made smaller."""

import re
from math import ceil, floor

import numpy as np
import simplejpeg
from cykooz_resizer import CropBox, FilterType, ResizeAlg, ResizeOptions, Resizer
from numpy.typing import NDArray
from PIL import Image

from photofleet.images.formats import Format
from workers.image.colour import in_plain_mode, to_srgb
from workers.image.opening import blaming_the_file, load
from workers.resize.plan import Size

Pixels = NDArray[np.uint8]
"""Height × width × channels: one for mode L, three for RGB, of which Pillow's images take four bytes a pixel."""

SHARP_ENOUGH = 1.2
"""How much larger than needed a JPEG has to come out of a scaled decode, which is a little less sharp than a full one.

At 1.13, photos of 2048 px were 44 to 53 dB from the reference of `make bench-resize`; at 1.4, 50; fully decoded, 56."""

BAND = 192
"""Rows that are made at a time. What is worked on stays in the processor's cache, and takes little memory besides; with
64 rows, too much is done twice."""

_LANCZOS = ResizeAlg.convolution(FilterType.lanczos3)
_REACH = 3
"""Pixels that the filter looks at on either side, as many times as the picture gets smaller."""

_HARMLESS = re.compile(r"ICC|JFIF revision|subsampling|extraneous bytes before marker 0x(?!d[0-7])")
"""What libjpeg-turbo complains of in JPEGs whose pixels are all right: a profile in pieces, padding anywhere but within
the picture's data, chroma in proportions that TurboJPEG has no name for. Pillow does not mind."""


def read(image: Image.Image, original: bytes, format: Format, needed: Size) -> Image.Image | Pixels:
    """Decode an opened picture, as it is stored.

    Args:
        image: The picture, opened with Pillow.
        original: The file.
        format: The file's.
        needed: Width and height, as stored, that suffice. A JPEG may come out up to eight times smaller than stored.

    Returns:
        A picture of mode L, RGB, RGBA or CMYK, or the pixels of one of mode L or RGB, in the file's own colours.

    Raises:
        BadImage: the file is damaged or incomplete.
    """
    enough = ceil(needed[0] * SHARP_ENOUGH), ceil(needed[1] * SHARP_ENOUGH)
    if format is Format.JPEG and image.mode in ("L", "RGB"):
        with blaming_the_file(format, pixels=image.width * image.height):
            try:
                return _read_jpeg(image, original, enough)
            except (OSError, ValueError) as error:
                if not _HARMLESS.search(str(error)):
                    raise
    if needed != image.size:
        image.draft(None, enough)
    load(image, format)
    plain = in_plain_mode(image)
    # There is no fast way to make LA smaller. Whatever profile it has is done with then.
    return to_srgb(plain, image.info.pop("icc_profile", None)) if plain.mode == "LA" else plain


def _read_jpeg(image: Image.Image, original: bytes, enough: Size) -> Pixels:
    """Decode a JPEG with libjpeg-turbo, which refuses damaged data that Pillow shows.

    It is decoded at 1/2, 1/4 or 1/8 where that is still sharp enough. Other factors would save no time: libjpeg-turbo
    has no fast code for them.
    """
    width, height = image.size
    factor = next((f for f in (8, 4, 2) if width >= f * enough[0] and height >= f * enough[1]), 1)
    pixels: Pixels = simplejpeg.decode_jpeg(
        original,
        colorspace="RGB" if image.mode == "RGB" else "GRAY",
        min_width=-(-width // factor),
        min_height=-(-height // factor),
    )
    return pixels


def resize(picture: Image.Image | Pixels, size: Size) -> Image.Image:
    """Make a picture smaller with a Lanczos-3 filter, in a sixth of the time that Pillow takes.

    Args:
        picture: A picture of mode L, RGB, RGBA or CMYK, or the pixels of one of mode L or RGB.
        size: Its new width and height; if it has them already, they stay.

    Returns:
        A picture of the same mode. Of RGBA, colours have counted as much as they are seen.

    Where memory ends amid this, the process does, too.
    """
    width, height = picture.size if isinstance(picture, Image.Image) else picture.shape[1::-1]
    if (width, height) == size:
        return _rows(picture, 0, height)
    factor, resizer = height / size[1], Resizer()
    smaller = Image.new(_mode(picture), size)
    for top in range(0, size[1], BAND):
        bottom = min(top + BAND, size[1])
        first = max(0, floor((top - _REACH) * factor))
        last = min(height, ceil((bottom + _REACH) * factor))
        start = top * factor - first
        rows = _rows(picture, first, last)
        box = CropBox(0, start, width, min((bottom - top) * factor, rows.height - start))
        band = Image.new(rows.mode, (size[0], bottom - top))
        resizer.resize_pil(rows, band, ResizeOptions(_LANCZOS, crop_box=box))
        smaller.paste(band, (0, top))
        del rows, band  # before the next ones are there
    return smaller


def _mode(picture: Image.Image | Pixels) -> str:
    if isinstance(picture, Image.Image):
        return picture.mode
    return "RGB" if picture.shape[2] == 3 else "L"


def _rows(picture: Image.Image | Pixels, first: int, last: int) -> Image.Image:
    if isinstance(picture, Image.Image):
        whole = (first, last) == (0, picture.height)
        return picture if whole else picture.crop((0, first, picture.width, last))
    mode = _mode(picture)
    return Image.frombuffer(mode, (picture.shape[1], last - first), picture[first:last], "raw", mode, 0, 1)
