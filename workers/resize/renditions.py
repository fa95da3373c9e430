"""A photo's renditions: the same picture in every width that devices ask for, small and without metadata."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from photofleet.images.formats import Format
from workers.image import flatten

#: Widths in pixels; a rendition is named after its width: w160, w320...
WIDTHS = (160, 320, 640, 1280, 2048)

#: What a WebP can be on a side. JPEG could be larger, but both formats of a rendition have the same size.
MAX_SIDE = 16_383

_QUALITY = 80


@dataclass(frozen=True)
class Rendition:
    """One encoded rendition: its name, format, size in pixels and file content."""

    name: str
    format: Format
    width: int
    height: int
    data: bytes


def render(image: Image.Image, widths: Sequence[int] = WIDTHS) -> Iterator[Rendition]:
    """Make the renditions of an upright sRGB picture of mode RGB or RGBA, largest first, each as JPEG and WebP.

    A photo is never enlarged: it gets every width below its own, and its own under the name of the next width.
    A photo 500 px wide thus has w160, w320 and a w640 that is 500 px wide. Transparency becomes white in JPEG.

    Every size is made from the next larger one, which is several times faster than from the original and no
    worse to look at.
    """
    for name, size in reversed(_plan(image.size, widths)):
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
        image.info = {}  # where Pillow keeps a profile or comment that it would save
        yield Rendition(name, Format.JPEG, *size, _encode_jpeg(image))
        yield Rendition(name, Format.WEBP, *size, _encode_webp(image))


def _plan(size: tuple[int, int], widths: Sequence[int]) -> list[tuple[str, tuple[int, int]]]:
    """Return the name and size of each rendition, smallest first."""
    width, height = size
    if height > MAX_SIDE:
        width, height = max(1, round(width * MAX_SIDE / height)), MAX_SIDE
    plan = []
    for step in sorted(widths):
        scaled_width = min(step, width)
        scaled_height = max(1, round(height * scaled_width / width))
        plan.append((f"w{step}", (scaled_width, scaled_height)))
        if step >= width:
            break
    return plan


def _encode_jpeg(image: Image.Image) -> bytes:
    output = BytesIO()
    flatten(image).save(output, "JPEG", quality=_QUALITY, subsampling="4:2:0", progressive=True)
    return output.getvalue()


def _encode_webp(image: Image.Image) -> bytes:
    output = BytesIO()
    image.save(output, "WEBP", quality=_QUALITY, method=4)
    return output.getvalue()
