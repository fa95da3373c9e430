"""Every way in Python to make a photo's files, as its users use it: `python -m tests.bench.resize.methods NAME`.

Each method imports what it needs when it is first called, so that a process holds nothing of the others, and thumbor
and pyvips can have virtual environments of their own.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from io import BytesIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.bench.resize.serve import Method, serve
from tests.bench.resize.wanted import QUALITY, specs

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 100_000_000

Sizes = Sequence[tuple[int, int]]


def ours(original: bytes, sizes: Sizes, formats: Sequence[str]) -> Iterator[bytes]:
    """The module that the resize fleet runs, with the placeholder that it makes besides."""
    from photofleet.images.formats import SNIFF_BYTES, sniff
    from workers.resize.renditions import make_renditions, scaled
    from workers.resize.results import Rendition

    format = sniff(original[:SNIFF_BYTES])
    assert format
    if list(formats) == ["raw"]:
        for _, image in scaled(original, format, specs("jpeg"), max_pixels=MAX_PIXELS):
            yield image.convert("RGB").tobytes()
        return
    for made in make_renditions(original, format, specs(*formats), max_pixels=MAX_PIXELS):
        if isinstance(made, Rendition):
            assert (made.width, made.height) in sizes
            yield made.data


def pillow_naive(original: bytes, sizes: Sizes, formats: Sequence[str]) -> Iterator[bytes]:
    """What a first search finds: decode in full, turn, resize from the original for each size."""
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(Image.open(BytesIO(original)))
    for size in sizes:
        yield from _saved(picture.resize(size, Image.Resampling.LANCZOS), formats)


def pillow_thumbnail(original: bytes, sizes: Sizes, formats: Sequence[str]) -> Iterator[bytes]:
    """What Pillow's documentation shows: a copy and its `thumbnail` for each size."""
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(Image.open(BytesIO(original)))
    for width, _ in sizes:
        copy = picture.copy()
        copy.thumbnail((width, copy.height), Image.Resampling.LANCZOS)
        yield from _saved(copy, formats)


def pillow_tuned(original: bytes, sizes: Sizes, formats: Sequence[str]) -> Iterator[bytes]:
    """As good as Pillow alone gets: the codec's scale, each size from the next larger, turned and converted late."""
    from PIL import ExifTags, Image, ImageOps

    picture: Image.Image = Image.open(BytesIO(original))
    turned = picture.getexif().get(ExifTags.Base.Orientation, 1) > 4
    stored = sizes[0][::-1] if turned else sizes[0]
    picture.draft(None, stored)
    picture = ImageOps.exif_transpose(picture.resize(stored, Image.Resampling.LANCZOS))
    profile = picture.info.get("icc_profile")
    transform = _to_srgb(profile) if profile and picture.mode == "RGB" else None
    if transform:
        picture = transform.apply(picture)
    for size in sizes:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
        yield from _saved(picture, formats)


@cache
def _to_srgb(profile: bytes) -> Any:
    """What converts from a profile; None if that is sRGB by its name."""
    from PIL import ImageCms

    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    if "sRGB" in ImageCms.getProfileDescription(source):
        return None
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB")


def _saved(picture: "Image.Image", formats: Sequence[str]) -> Iterator[bytes]:
    options = {"jpeg": {"quality": QUALITY}, "webp": {"quality": QUALITY, "method": 4}}
    for format in formats:
        if format == "raw":
            yield picture.convert("RGB").tobytes()
        else:
            output = BytesIO()
            picture.save(output, format, **options[format])
            yield output.getvalue()


def pyvips(original: bytes, sizes: Sizes, formats: Sequence[str]) -> Iterator[bytes]:
    """`thumbnail` for each size; it converts colours only where asked, and then also photos without a profile."""
    from pyvips import Image, cache_set_max

    cache_set_max(0)
    profiled = Image.new_from_buffer(original, "").get_typeof("icc-profile-data")
    colours = {"output_profile": "srgb"} if profiled else {}
    for width, height in sizes:
        picture = Image.thumbnail_buffer(original, width, height=height, size="force", **colours)
        for format in formats:
            if format == "raw":
                yield picture.colourspace("srgb").write_to_memory()
            else:
                yield picture.write_to_buffer(f".{format}", Q=QUALITY, keep="none")


def thumbor(original: bytes, sizes: Sizes, formats: Sequence[str]) -> Iterator[bytes]:
    """One request for each size, as thumbor's server handles it between its loader and its storage."""
    from thumbor.config import Config
    from thumbor.engines.pil import Engine

    context = SimpleNamespace(config=Config(QUALITY=QUALITY, RESPECT_ORIENTATION=True))
    for width, height in sizes:
        for format in formats:
            engine = Engine(context)
            engine.load(original, None)
            engine.reorientate()
            engine.resize(width, height)
            yield engine.image.convert("RGB").tobytes() if format == "raw" else engine.read(f".{format}", QUALITY)


def imagemagick(original: bytes, sizes: Sizes, formats: Sequence[str]) -> Iterator[bytes]:
    """The program once for each size, told (as its manual says) how small a JPEG may be decoded."""
    program = imagemagick_program()
    assert program
    for width, height in sizes:
        # A square of the shorter side suits both before and after it is turned; a larger one can enlarge the photo.
        reading = ("-quiet", "-define", "jpeg:size={0}x{0}".format(min(width, height)), "-")
        resizing = ("-auto-orient", "-thumbnail", f"{width}x{height}!")
        for format in formats:
            output = ("-depth", "8", "rgb:-") if format == "raw" else (f"{format}:-",)
            writing = ("-quality", str(QUALITY), "-sampling-factor", "4:2:0", *output)
            command = (program, *reading, *resizing, *writing)
            yield subprocess.run(command, input=original, stdout=subprocess.PIPE, check=True).stdout


@cache
def imagemagick_program() -> str | None:
    """Where ImageMagick is; Debian's own name for it comes before one that other programs have too."""
    for name in ("magick", "convert-im6.q16", "convert"):
        path = shutil.which(name)
        if path and "ImageMagick" in _version(path):
            return path
    return None


def _version(path: str) -> str:
    asked = subprocess.run((path, "-version"), capture_output=True, text=True, check=False)
    return asked.stdout if asked.returncode == 0 else ""


METHODS: dict[str, Method] = {
    method.__name__: method
    for method in (ours, pillow_naive, pillow_thumbnail, pillow_tuned, pyvips, thumbor, imagemagick)
}

if __name__ == "__main__":
    serve(METHODS[sys.argv[1]])
