"""Encoding of pictures in sRGB, of mode RGB or RGBA: one function for each format, and no metadata in any."""

from io import BytesIO

from PIL import Image

from photofleet.images.formats import Format
from photofleet.images.renditions import RenditionSpec
from workers.image import flatten

AVIF_FASTEST = 10
"""Speed that AVIF's effort counts down from."""


def encode(image: Image.Image, spec: RenditionSpec) -> bytes:
    """Return the file's content."""
    match spec.format:
        case Format.JPEG:
            progressive = bool(spec.effort)
            return save(flatten(image), "JPEG", quality=spec.quality, subsampling="4:2:0", progressive=progressive)
        case Format.WEBP:
            return save(image, "WEBP", quality=spec.quality, method=spec.effort)
        case Format.AVIF:
            return save(image, "AVIF", quality=spec.quality, speed=AVIF_FASTEST - spec.effort, max_threads=1)
        case format:
            raise ValueError(f"nothing is made as {format}")


def save(image: Image.Image, format: str, **options: object) -> bytes:
    """Return the content of a file that Pillow writes, with its encoder's options."""
    output = BytesIO()
    image.save(output, format, **options)
    return output.getvalue()
