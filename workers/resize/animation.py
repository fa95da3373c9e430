"""The moving rendition of a picture that moves."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
from PIL import Image

from photofleet.images.formats import Format
from photofleet.images.renditions import RenditionSpec
from workers.image.colour import in_plain_mode, to_srgb
from workers.image.opening import BadImage, blaming_the_file, open_image
from workers.resize.pixels import as_image, shrink
from workers.resize.plan import Size, fitted
from workers.resize.results import Rendition

MOVING = (Format.GIF, Format.WEBP, Format.PNG)

MAX_FRAMES = 300
MAX_PIXELS = 40_000_000
"""Of all frames of a rendition together, four bytes each: what is longer or larger stays a still picture."""

UNSET_DURATION_MS, USUAL_DURATION_MS = 10, 100
"""Browsers show a frame of a GIF that asks for no more than the former for the latter."""


def make_animation(original: bytes, format: Format, spec: RenditionSpec, *, max_pixels: int) -> Rendition | None:
    """Make an animated WebP of all frames; None of a picture that does not move, is too long, or breaks off."""
    if format not in MOVING:
        return None
    try:
        with open_image(BytesIO(original), format, max_pixels) as image:
            with blaming_the_file(format):
                count = getattr(image, "n_frames", 1)
            size = fitted(image.size, spec.width, spec.height)
            if not 1 < count <= MAX_FRAMES or count * size[0] * size[1] > MAX_PIXELS:
                return None
            loops = _loops(image, format)
            frames, durations = zip(*_frames(image, format, count, size), strict=True)
    except BadImage:  # of which the first frame has been good
        return None
    output = BytesIO()
    first, *others = frames
    first.save(
        output,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=durations,
        loop=loops,
        quality=spec.quality,
        method=spec.effort,
    )
    return Rendition(spec, *size, output.getvalue())


def _frames(image: Image.Image, format: Format, count: int, size: Size) -> Iterator[tuple[Image.Image, int]]:
    """Yield each frame, whole and resized, and for how many milliseconds it is shown."""
    for number in range(count):
        with blaming_the_file(format, pixels=image.width * image.height):
            image.seek(number)
            image.load()
        frame = to_srgb(in_plain_mode(image), image.info.get("icc_profile"))
        duration = int(image.info.get("duration", 0))
        if format is Format.GIF and duration <= UNSET_DURATION_MS:
            duration = USUAL_DURATION_MS
        yield as_image(shrink(np.asarray(frame), size)), duration


def _loops(image: Image.Image, format: Format) -> int:
    """Return how often it is played, as WebP counts: 0 is for ever."""
    if format is Format.GIF:  # which counts repetitions, and without a number is played once
        repetitions = image.info.get("loop")
        return 1 if repetitions is None else repetitions and repetitions + 1
    return int(image.info.get("loop", 0))
