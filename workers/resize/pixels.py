"""Pixels as arrays of height × width × channels, eight bits each: read from a file, made smaller, turned upright."""

import os

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from photofleet.images.formats import Format
from workers.image.colour import in_plain_mode, needs_conversion, to_srgb
from workers.image.opening import blaming_the_file, load
from workers.image.orientation import upright
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


def read(image: Image.Image, original: bytes, format: Format, needed: Size) -> tuple[Pixels, str]:
    """Decode an opened picture, as it is stored.

    Args:
        image: The picture, opened with Pillow.
        original: The file.
        format: The file's.
        needed: Width and height, as stored, that suffice. A JPEG may come out up to eight times smaller than stored.

    Returns:
        The pixels and their mode: L, LA, RGB, RGBA or CMYK.

    Raises:
        BadImage: the file is damaged or incomplete.
    """
    if format is Format.JPEG and image.mode in ("L", "RGB"):
        with blaming_the_file(format, pixels=image.width * image.height):
            try:
                return _read_jpeg(image, original, needed), image.mode
            except ValueError as error:
                if "ICC" not in str(error):  # a profile in pieces spoils no pixel, and Pillow does not mind
                    raise
    image.draft(None, needed)
    load(image, format)
    plain = in_plain_mode(image)
    return _array(plain), plain.mode


def _read_jpeg(image: Image.Image, original: bytes, needed: Size) -> Pixels:
    """Decode a JPEG with simplejpeg, which takes half of Pillow's time and refuses damaged data that Pillow shows.

    It is decoded at 1/2, 1/4 or 1/8 where that is still sharp enough. Other factors would save no time: libjpeg-turbo
    has no fast code for them.
    """
    width, height = image.size
    fits = (f for f in (8, 4, 2) if width >= f * SHARP_ENOUGH * needed[0] and height >= f * SHARP_ENOUGH * needed[1])
    factor = next(fits, 1)
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
        size: Its new width and height.
        mode: L, LA, RGB, RGBA or CMYK; without it, RGB or RGBA.
    """
    height, width, channels = pixels.shape
    if (width, height) == size:
        return pixels
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(pixels), width, height, channels, "uchar")
    scale, vertical_scale = size[0] / width, size[1] / height
    if mode == "CMYK" or channels % 2:
        image = image.resize(scale, vscale=vertical_scale, kernel="lanczos3")
    else:  # colours count as much as they are seen
        image = image.copy(interpretation="srgb" if channels == 4 else "b-w").premultiply()
        image = image.resize(scale, vscale=vertical_scale, kernel="lanczos3").unpremultiply()
        image = image.rint().cast("uchar")
    resized: Pixels = image.numpy().reshape(size[1], size[0], channels)
    return resized


def finish(pixels: Pixels, mode: str, icc_profile: bytes | None, orientation: int) -> Pixels:
    """Convert pixels to sRGB, with three channels or four, and turn them upright."""
    if orientation == 1 and not needs_conversion(mode, icc_profile):
        return pixels
    height, width, _ = pixels.shape
    image = Image.frombuffer(mode, (width, height), np.ascontiguousarray(pixels), "raw", mode, 0, 1)
    return _array(upright(to_srgb(image, icc_profile), orientation))


def as_image(pixels: Pixels) -> Image.Image:
    """Return an image of mode RGB or RGBA, for Pillow, with nothing but the pixels."""
    return Image.fromarray(np.ascontiguousarray(pixels))


def _array(image: Image.Image) -> Pixels:
    pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1)
