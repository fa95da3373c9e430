"""Making pixels fewer."""

from math import ceil, floor

from cykooz_resizer import CropBox, FilterType, ResizeAlg, ResizeOptions, Resizer
from PIL import Image

from workers.image.reading import Pixels, as_image
from workers.resize.plan import Size

BAND = 192
"""Rows that are made at a time. What is worked on stays in the processor's cache, and takes little memory besides; with
64 rows, too much is done twice."""

_LANCZOS = ResizeAlg.convolution(FilterType.lanczos3)
_REACH = 3
"""Pixels that the filter looks at on either side, as many times as the picture gets smaller."""


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
        return as_image(picture)
    factor, resizer = height / size[1], Resizer()
    smaller = Image.new(_rows(picture, 0, 1).mode, size)
    for top in range(0, size[1], BAND):
        bottom = min(top + BAND, size[1])
        first = max(0, floor((top - _REACH) * factor))
        last = min(height, ceil((bottom + _REACH) * factor))
        start = top * factor - first
        source = _rows(picture, first, last)
        box = CropBox(0, start, width, min((bottom - top) * factor, source.height - start))
        band = Image.new(source.mode, (size[0], bottom - top))
        resizer.resize_pil(source, band, ResizeOptions(_LANCZOS, crop_box=box))
        smaller.paste(band, (0, top))
        del source, band  # before the next ones are there
    return smaller


def _rows(picture: Image.Image | Pixels, first: int, last: int) -> Image.Image:
    if isinstance(picture, Image.Image):
        whole = (first, last) == (0, picture.height)
        return picture if whole else picture.crop((0, first, picture.width, last))
    return as_image(picture[first:last])
