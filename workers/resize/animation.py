"""The moving rendition of a picture that moves."""

from collections.abc import Iterable, Iterator
from io import BytesIO

from PIL import Image

from photofleet.images.formats import Format
from photofleet.images.renditions import RenditionSpec
from workers.image.colour import in_plain_mode, to_srgb
from workers.image.opening import BadImage, blaming_the_file, open_image
from workers.image.orientation import orientation_of, turned, upright
from workers.resize.encoding import save
from workers.resize.pixels import resize
from workers.resize.plan import Size, fitted
from workers.resize.results import Rendition

MOVING = (Format.GIF, Format.WEBP, Format.PNG)

MAX_FRAMES = 300
MAX_PIXELS = 40_000_000
"""Of all frames of a rendition together, four bytes each: what is longer or larger stays a still picture."""

UNSET_DURATION_MS, USUAL_DURATION_MS = 10, 100
"""Browsers show a frame of a GIF that asks for no more than the former for the latter."""


def make_animation(original: bytes, format: Format, spec: RenditionSpec, *, max_pixels: int) -> Rendition | None:
    """Make an animated WebP of all frames; None of a picture that does not move, is too long or large, or is damaged.

    The limit of `max_pixels` is on all frames together: every one may have to be decoded in full.
    """
    if format not in MOVING:
        return None
    try:
        with open_image(BytesIO(original), format, max_pixels) as image:
            with blaming_the_file(format):
                first, end = int(bool(image.info.get("default_image"))), getattr(image, "n_frames", 1)
            count, orientation = end - first, orientation_of(image)
            size = fitted(turned(image.size, orientation), spec.width, spec.height)
            if not 1 < count <= MAX_FRAMES or count * size[0] * size[1] > MAX_PIXELS:
                return None
            if count * image.width * image.height > max_pixels:
                return None
            loops = _loops(image, format)
            shown = list(_frames(image, format, range(first, end), turned(size, orientation)))
    except (BadImage, MemoryError):  # of which the still renditions have been good
        return None
    frames = [upright(frame, orientation) for frame, _ in shown]
    data = save(
        frames[0],
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=[duration for _, duration in shown],
        loop=loops,
        quality=spec.quality,
        method=spec.effort,
    )
    return Rendition(spec, *size, data)


def _frames(
    image: Image.Image, format: Format, numbers: Iterable[int], size: Size
) -> Iterator[tuple[Image.Image, int]]:
    """Yield each frame, whole and resized, and for how many milliseconds it is shown."""
    canvas = image.size
    for number in numbers:
        with blaming_the_file(format, pixels=canvas[0] * canvas[1]):
            image.seek(number)
            if image.size != canvas:  # Pillow enlarges it for a frame that reaches beyond
                raise ValueError("a frame beyond the canvas")
            image.load()
        frame = to_srgb(in_plain_mode(image.copy()), image.info.get("icc_profile"))
        frame.info = {}
        duration = int(image.info.get("duration", 0))
        if format is Format.GIF and duration <= UNSET_DURATION_MS:
            duration = USUAL_DURATION_MS
        yield resize(frame, size), duration


def _loops(image: Image.Image, format: Format) -> int:
    """Return how often it is played, as WebP counts: 0 is for ever."""
    if format is Format.GIF:  # which counts repetitions, and without a number is played once
        repetitions = image.info.get("loop")
        return 1 if repetitions is None else repetitions and repetitions + 1
    return int(image.info.get("loop", 0))
