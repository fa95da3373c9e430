"""The pixels of an opened picture, as they are stored."""

import re

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from photofleet.images.formats import Format
from workers.image.colour import in_plain_mode, to_srgb
from workers.image.opening import blaming_the_file, load

Pixels = NDArray[np.uint8]
"""Height × width × channels: one for mode L, three for RGB, of which Pillow's images take four bytes a pixel."""

_HARMLESS = re.compile(r"ICC|JFIF revision|subsampling|extraneous bytes before marker 0x(?!d[0-7])")
"""What libjpeg-turbo complains of in JPEGs whose pixels are all right: a profile in pieces, padding anywhere but within
the picture's data, chroma in proportions that TurboJPEG has no name for. Pillow does not mind."""


def read(image: Image.Image, original: bytes, format: Format, enough: tuple[int, int]) -> Image.Image | Pixels:
    """Decode an opened picture, as it is stored.

    Args:
        image: The picture, opened with Pillow.
        original: The file.
        format: The file's.
        enough: Width and height, as stored, that suffice. A JPEG comes out at 1/2, 1/4 or 1/8 of its size as long as
            neither side gets smaller than that, which is much faster.

    Returns:
        A picture of mode L, RGB, RGBA or CMYK, or the pixels of one of mode L or RGB, in the file's own colours.

    Raises:
        BadImage: the file is damaged or incomplete.
    """
    if format is Format.JPEG and image.mode in ("L", "RGB"):
        with blaming_the_file(format, pixels=image.width * image.height):
            try:
                return _read_jpeg(image, original, enough)
            except (OSError, ValueError) as error:
                if not _HARMLESS.search(str(error)):
                    raise
    image.draft(None, enough)
    load(image, format)
    plain = in_plain_mode(image)
    # There is no fast way to make LA smaller. Whatever profile it has is done with then.
    return to_srgb(plain, image.info.pop("icc_profile", None)) if plain.mode == "LA" else plain


def as_image(picture: Image.Image | Pixels) -> Image.Image:
    """A picture as one of Pillow's, which shares its memory with the pixels."""
    if isinstance(picture, Image.Image):
        return picture
    height, width, channels = picture.shape
    mode = "RGB" if channels == 3 else "L"
    return Image.frombuffer(mode, (width, height), picture, "raw", mode, 0, 1)


def _read_jpeg(image: Image.Image, original: bytes, enough: tuple[int, int]) -> Pixels:
    """Decode a JPEG with libjpeg-turbo, which refuses damaged data that Pillow shows.

    Other factors than 1/2, 1/4 and 1/8 would save no time: libjpeg-turbo has no fast code for them.
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
