"""Encoding of pixels in sRGB, three channels or four: one function for each format, and no metadata in any."""

from io import BytesIO

import numpy as np
import simplejpeg
from PIL import Image

from photofleet.images.formats import Format
from photofleet.images.renditions import RenditionSpec
from workers.image import flatten
from workers.resize.pixels import Pixels, as_image

AVIF_FASTEST = 10
"""Speed that AVIF's effort counts down from."""


def encode(pixels: Pixels, spec: RenditionSpec) -> bytes:
    """Return the file's content."""
    match spec.format:
        case Format.JPEG:
            return _encode_jpeg(pixels, spec)
        case Format.WEBP:
            return _encode_webp(pixels, spec)
        case Format.AVIF:
            return _encode_avif(pixels, spec)
        case format:
            raise ValueError(f"nothing is made as {format}")


def _encode_jpeg(pixels: Pixels, spec: RenditionSpec) -> bytes:
    if pixels.shape[2] == 4:
        pixels = np.asarray(flatten(as_image(pixels)))
    if spec.effort:
        return save(as_image(pixels), "JPEG", quality=spec.quality, subsampling="4:2:0", progressive=True)
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=spec.quality, colorspace="RGB", colorsubsampling="420", fastdct=False
    )
    return data


def _encode_webp(pixels: Pixels, spec: RenditionSpec) -> bytes:
    return save(as_image(pixels), "WEBP", quality=spec.quality, method=spec.effort)


def _encode_avif(pixels: Pixels, spec: RenditionSpec) -> bytes:
    return save(as_image(pixels), "AVIF", quality=spec.quality, speed=AVIF_FASTEST - spec.effort, max_threads=1)


def save(image: Image.Image, format: str, **options: object) -> bytes:
    """Return the content of a file that Pillow writes, with its encoder's options."""
    output = BytesIO()
    image.save(output, format, **options)
    return output.getvalue()
