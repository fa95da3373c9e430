"""What each contestant's files are like, found out rather than believed: they have to be alike to be compared."""

import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageChops, ImageCms, ImageOps, JpegImagePlugin

from tests.bench.resize.contestants import Contestant
from tests.bench.resize.photos import Photo
from tests.bench.resize.wanted import QUALITY


def habits(contestant: Contestant, photo: Photo) -> str:
    """Make a photo's JPEGs, and say what becomes of its colours and metadata; ends the benchmark if they are others.

    Args:
        contestant: Who makes them.
        photo: One that is stored on its side, with metadata and a profile that is not sRGB.
    """
    with TemporaryDirectory() as name:
        contestant.do([photo], ["jpeg"], Path(name))
        files = [Path(name, str(number)).read_bytes() for number in range(len(photo.sizes))]
    for size, file in zip(photo.sizes, files, strict=True):
        _check(contestant.name, size, file)
    return f"{_colours(photo, files[0])}, {_metadata(files[0])}"


def _check(name: str, size: tuple[int, int], file: bytes) -> None:
    """Everyone's JPEGs are of the same width, quality and subsampling; some round a height as they like."""
    with Image.open(BytesIO(file)) as image, Image.open(BytesIO(_jpeg_of_our_quality())) as ours:
        same = {
            "size": image.width == size[0] and abs(image.height - size[1]) <= 1,
            "quality": image.quantization == ours.quantization,
            "subsampling": JpegImagePlugin.get_sampling(image) == JpegImagePlugin.get_sampling(ours),
        }
    for what, is_same in same.items():
        if not is_same:
            sys.exit(f"{name} gives JPEGs of {size} another {what} than it was told, so that it cannot be compared.")


def _jpeg_of_our_quality() -> bytes:
    output = BytesIO()
    Image.new("RGB", (16, 16)).save(output, "JPEG", quality=QUALITY)
    return output.getvalue()


def _colours(photo: Photo, file: bytes) -> str:
    """Whether a rendition is in sRGB, or says what else it is in, or looks wrong."""
    with Image.open(BytesIO(file)) as image, Image.open(photo.path) as original:
        if image.info.get("icc_profile"):
            return "profile kept"
        unconverted = ImageOps.exif_transpose(original).resize(image.size)
        profile = ImageCms.ImageCmsProfile(BytesIO(original.info["icc_profile"]))
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(unconverted, profile, srgb)
        is_converted = _distance(image, converted) < _distance(image, unconverted)
    return "in sRGB" if is_converted else "colours wrong"


def _distance(one: Image.Image, other: Image.Image) -> float:
    return float(np.mean(np.asarray(ImageChops.difference(one, other))))


def _metadata(file: bytes) -> str:
    with Image.open(BytesIO(file)) as image:
        return "metadata kept" if image.info.keys() & {"exif", "xmp", "comment"} else "no metadata"
