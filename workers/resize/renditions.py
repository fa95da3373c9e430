"""A photo's renditions: the same picture in every size that devices ask for, small and without metadata."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from math import ceil

from PIL import Image

from photofleet.images.formats import Format
from photofleet.images.renditions import Mode, RenditionSpec
from workers.image.colour import to_srgb
from workers.image.opening import open_image
from workers.image.orientation import orientation_of, turned, upright
from workers.image.reading import read
from workers.resize.animation import make_animation
from workers.resize.encoding import encode
from workers.resize.pixels import resize
from workers.resize.placeholder import make_placeholder
from workers.resize.plan import Step, plan
from workers.resize.results import Placeholder, Rendition

SHARP_ENOUGH = 1.2
"""How much larger than needed a JPEG has to come out of a scaled decode, which is a little less sharp than a full one.

At 1.13, photos of 2048 px were 44 to 53 dB from the reference of `make bench-resize`; at 1.4, 50; fully decoded, 56."""


def make_renditions(
    original: bytes, format: Format, specs: Sequence[RenditionSpec], *, max_pixels: int
) -> Iterator[Placeholder | Rendition]:
    """Make what a photo gets: renditions from the largest to the smallest, a placeholder, then what takes longest.

    These are AVIF files and animations.

    Args:
        original: The uploaded file.
        format: What it was found to be at upload; no other decoder is tried.
        specs: The renditions wanted.
        max_pixels: The limit on width × height.

    Raises:
        BadImage: the file is damaged, incomplete, too large or otherwise undecodable.
    """
    waiting: list[tuple[RenditionSpec, Image.Image]] = []
    for step, image in scaled(original, format, specs, max_pixels=max_pixels):
        left, top, width, height = step.crop
        part = image if (width, height) == image.size else image.crop((left, top, left + width, top + height))
        for spec in step.specs:
            if spec.format is Format.AVIF:
                waiting.append((spec, part))
            else:
                yield _rendition(spec, part)
    yield make_placeholder(image)
    for spec, part in waiting:
        yield _rendition(spec, part)
    for spec in specs:
        if spec.mode is Mode.ANIMATION:
            animation = make_animation(original, format, spec, max_pixels=max_pixels)
            if animation:
                yield animation


def scaled(
    original: bytes, format: Format, specs: Sequence[RenditionSpec], *, max_pixels: int
) -> Iterator[tuple[Step, Image.Image]]:
    """Yield the picture in each size, upright and in sRGB, largest first.

    Every size is made of the next larger one, which is several times faster than of the original and no worse to look
    at. Colours are converted, and the picture turned, once the first of these steps has made it smaller.
    """
    with open_image(BytesIO(original), format, max_pixels) as opened:
        size, orientation = opened.size, orientation_of(opened)
        width, height = turned(plan(turned(size, orientation), specs)[0].size, orientation)
        picture = read(opened, original, format, (ceil(width * SHARP_ENOUGH), ceil(height * SHARP_ENOUGH)))
        orientation, icc_profile = orientation_of(opened), opened.info.get("icc_profile")  # which may follow the pixels
    first, *others = plan(turned(size, orientation), specs)
    image = resize(picture, turned(first.size, orientation))
    image = upright(to_srgb(image, icc_profile), orientation)
    if image is opened:  # which encoders would ask for its frames
        image = image.copy()
    image.info = {}  # the metadata, of which some encoders would write what they know
    del picture, opened  # which hold all the pixels of the original
    yield first, image
    for step in others:
        image = resize(image, step.size)
        yield step, image


def _rendition(spec: RenditionSpec, image: Image.Image) -> Rendition:
    return Rendition(spec, image.width, image.height, encode(image, spec))
