"""The good files that mutations start from: small photographs in every format, as cameras and editors write them."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from PIL import Image

from photofleet.images.formats import Format
from tests.pictures import animation, display_p3, encode, exif, stored_as
from tests.samples import sample

SIDE = 160
"""Pixels of the longer side: enough for several sizes, tiles, scans and strips."""


@cache
def photo(name: str = "chelsea.png") -> Image.Image:
    with Image.open(sample(name)) as picture:
        picture.thumbnail((SIDE, SIDE))
        return picture.convert("RGB")


def transparent() -> Image.Image:
    picture = photo("coffee.png").convert("RGBA")
    picture.putalpha(photo("astronaut.png").convert("L").resize(picture.size))
    return picture


def deep_grey() -> Image.Image:
    return photo().convert("L").convert("I").point(lambda value: value * 257 + 0).convert("I;16")


def moving() -> list[Image.Image]:
    return [photo().rotate(angle) for angle in (0, 10, 20)]


MADE: dict[str, Callable[[], bytes]] = {
    "baseline.jpg": lambda: encode(photo(), Format.JPEG, quality=90),
    "progressive.jpg": lambda: encode(photo("coffee.png"), Format.JPEG, progressive=True),
    "grey.jpg": lambda: encode(photo().convert("L"), Format.JPEG),
    "cmyk.jpg": lambda: encode(photo().convert("CMYK"), Format.JPEG),
    "restarts.jpg": lambda: encode(photo(), Format.JPEG, restart_marker_rows=1, subsampling="4:4:4"),
    "sideways.jpg": lambda: encode(stored_as(photo(), 6), Format.JPEG, exif=exif(6), icc_profile=display_p3()),
    "gain-map.jpg": lambda: encode(photo(), Format.JPEG) + encode(photo().convert("L"), Format.JPEG),
    "rgb.png": lambda: encode(photo(), Format.PNG),
    "alpha.png": lambda: encode(transparent(), Format.PNG, icc_profile=display_p3()),
    "palette.png": lambda: encode(photo().quantize(32), Format.PNG, transparency=3),
    "deep-grey.png": lambda: encode(deep_grey(), Format.PNG),
    "bits.png": lambda: encode(photo().convert("1"), Format.PNG),
    "sideways.png": lambda: encode(stored_as(photo(), 8), Format.PNG, exif=exif(8)),
    "moving.png": lambda: animation(Format.PNG, *moving()),
    "still.gif": lambda: encode(photo().quantize(64), Format.GIF, interlace=1),
    "moving.gif": lambda: animation(Format.GIF, *moving(), duration=40, loop=0),
    "lossy.webp": lambda: encode(photo("coffee.png"), Format.WEBP, exif=exif(3)),
    "lossless.webp": lambda: encode(transparent(), Format.WEBP, lossless=True),
    "moving.webp": lambda: animation(Format.WEBP, *moving(), duration=40),
    "photo.avif": lambda: encode(photo(), Format.AVIF),
    "alpha.avif": lambda: encode(transparent(), Format.AVIF, speed=9),
    "moving.avif": lambda: animation(Format.AVIF, *moving(), speed=9),
    "photo.heic": lambda: encode(photo(), Format.HEIC, quality=60),
    "alpha.heic": lambda: encode(transparent(), Format.HEIC, quality=60),
    "strips.tif": lambda: encode(photo(), Format.TIFF),
    "lzw.tif": lambda: encode(photo("coffee.png"), Format.TIFF, compression="tiff_lzw"),
    "jpeg.tif": lambda: encode(photo(), Format.TIFF, compression="jpeg"),
    "alpha.tif": lambda: encode(transparent(), Format.TIFF, compression="tiff_adobe_deflate"),
    "deep-grey.tif": lambda: encode(deep_grey(), Format.TIFF),
    "cmyk.tif": lambda: encode(photo().convert("CMYK"), Format.TIFF, compression="packbits"),
}

FOLDER = os.environ.get("PHOTOS")

GIVEN = {path.name: path for path in sorted(Path(FOLDER).iterdir())} if FOLDER else {}
"""More files, of the one who runs the fuzz, where nobody answers for what is good."""

NAMES = (*MADE, *GIVEN)


@cache
def content(name: str) -> bytes:
    return MADE[name]() if name in MADE else GIVEN[name].read_bytes()
