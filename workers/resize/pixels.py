"""Pixels as arrays of height × width × channels, eight bits each: read from a file, made smaller, turned upright."""

import os
import re
from collections.abc import Callable
from math import ceil

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from photofleet.images.formats import Format
from workers.image.colour import in_plain_mode, needs_conversion, to_srgb
from workers.image.opening import blaming_the_file, load
from workers.resize.plan import Size

# libvips reads it when it is loaded. A worker process has one core to itself.
os.environ.setdefault("VIPS_CONCURRENCY", "1")
import pyvips

Pixels = NDArray[np.uint8]

# Nothing is asked for twice, and what is kept would count against the memory of one photo.
pyvips.cache_set_max(0)

SHARP_ENOUGH = 1.2
"""How much larger than needed a JPEG has to come out of a scaled decode, which is a little less sharp than a full one.

At 1.13, photos of 2048 px were 44 to 53 dB from the reference of `make bench-resize`; at 1.4, 50; fully decoded, 56."""

STREAMED_FROM = 14_000_000
"""Pixels from which a JPEG is not decoded into memory but line by line, which takes a fifth more time: 24 megapixels
would take 72 MB."""

BAND = 64
"""Rows whose colours are converted at a time: Pillow needs a third more memory than we do, and several times over."""

_HARMLESS = re.compile(r"ICC|JFIF revision|subsampling|extraneous bytes before marker 0x(?!d[0-7])")
"""What libjpeg-turbo complains of in JPEGs whose pixels are all right: a profile in pieces, padding anywhere but within
the picture's data, chroma in proportions that TurboJPEG has no name for. Pillow does not mind."""


def read(image: Image.Image, original: bytes, format: Format, needed: Size) -> tuple[Pixels, str]:
    """Decode an opened picture, as it is stored.

    Args:
        image: The picture, opened with Pillow.
        original: The file.
        format: The file's.
        needed: Width and height, as stored, that suffice. A JPEG may come out up to eight times smaller than stored.

    Returns:
        The pixels, and their mode: L, LA, RGB, RGBA or CMYK.

    Raises:
        BadImage: the file is damaged or incomplete.
    """
    enough = ceil(needed[0] * SHARP_ENOUGH), ceil(needed[1] * SHARP_ENOUGH)
    if format is Format.JPEG and image.mode in ("L", "RGB"):
        with blaming_the_file(format, pixels=image.width * image.height):
            try:
                return _read_jpeg(image, original, needed, enough), image.mode
            except (OSError, ValueError) as error:
                if not _HARMLESS.search(str(error)):
                    raise
    if needed != image.size:
        image.draft(None, enough)
    load(image, format)
    plain = in_plain_mode(image)
    return _array(plain), plain.mode


def _read_jpeg(image: Image.Image, original: bytes, needed: Size, enough: Size) -> Pixels:
    """Decode a JPEG with libjpeg-turbo, which refuses damaged data that Pillow shows.

    It is decoded at 1/2, 1/4 or 1/8 where that is still sharp enough. Other factors would save no time: libjpeg-turbo
    has no fast code for them.
    """
    width, height = image.size
    factor = next((f for f in (8, 4, 2) if width >= f * enough[0] and height >= f * enough[1]), 1)
    if width * height > STREAMED_FROM * factor**2:
        try:
            lines = pyvips.Image.jpegload_buffer(original, shrink=factor, access="sequential", fail_on="warning")
            return _scaled(lines, needed)
        except pyvips.Error as error:
            raise OSError(str(error)) from error
    pixels: Pixels = simplejpeg.decode_jpeg(
        original,
        colorspace="RGB" if image.mode == "RGB" else "GRAY",
        min_width=-(-width // factor),
        min_height=-(-height // factor),
    )
    return pixels


def resize(pixels: Pixels, size: Size, mode: str = "") -> Pixels:
    """Make a picture smaller with a Lanczos-3 filter, in which libvips takes a tenth of Pillow's time.

    Args:
        pixels: The picture.
        size: Its new width and height; if it has them already, it is returned as it is.
        mode: L, LA, RGB, RGBA or CMYK; without it, RGB or RGBA.
    """
    height, width, channels = pixels.shape
    if (width, height) == size:
        return pixels
    if mode == "CMYK" or channels % 2:
        return _scaled(_as_vips(pixels), size)
    # Colours count as much as they are seen.
    seen = _as_vips(pixels).copy(interpretation="srgb" if channels == 4 else "b-w").premultiply()
    return _scaled(seen, size, lambda scaled: scaled.unpremultiply().rint().cast("uchar"))


def _scaled(
    image: pyvips.Image, size: Size, finish: Callable[[pyvips.Image], pyvips.Image] = lambda scaled: scaled
) -> Pixels:
    scaled = image.resize(size[0] / image.width, vscale=size[1] / image.height, kernel="lanczos3")
    pixels: Pixels = finish(scaled).numpy()
    return pixels.reshape(size[1], size[0], image.bands)


def finish(pixels: Pixels, mode: str, icc_profile: bytes | None, orientation: int) -> Pixels:
    """Convert pixels to sRGB, with three channels or four, and turn them upright."""
    if needs_conversion(mode, icc_profile):
        bands = [_in_srgb(pixels[top : top + BAND], mode, icc_profile) for top in range(0, len(pixels), BAND)]
        pixels = np.concatenate(bands)
    if orientation == 1:
        return pixels
    image = _as_vips(pixels).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    turned: Pixels = image.autorot().numpy()
    return turned


def _in_srgb(pixels: Pixels, mode: str, icc_profile: bytes | None) -> Pixels:
    height, width, _ = pixels.shape
    image = Image.frombuffer(mode, (width, height), np.ascontiguousarray(pixels), "raw", mode, 0, 1)
    return _array(to_srgb(image, icc_profile))


def as_image(pixels: Pixels) -> Image.Image:
    """Return an image of mode RGB or RGBA, for Pillow, with nothing but the pixels."""
    return Image.fromarray(np.ascontiguousarray(pixels))


def _as_vips(pixels: Pixels) -> pyvips.Image:
    height, width, channels = pixels.shape
    return pyvips.Image.new_from_memory(np.ascontiguousarray(pixels), width, height, channels, "uchar")


def _array(image: Image.Image) -> Pixels:
    pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1)
