"""Decoding of uploaded pictures, safe against whatever a file may do, for every fleet that looks at pixels."""

import contextlib
import struct
import warnings
import zlib
from collections.abc import Iterator
from io import BytesIO
from itertools import product
from typing import IO

import pillow_heif
from PIL import AvifImagePlugin, ExifTags, Image, ImageChops, ImageCms

from photofleet.images.bombs import ImageBomb, refuse_bomb
from photofleet.images.formats import Format
from workers.memory import memory_left

# A worker process has one core to itself. libheif's own limits on sizes and counts stay as they are.
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

#: What Pillow and its plugins raise on a bad file. Neither MemoryError nor Celery's time limit is among them:
#: those are about us, not about the file.
_DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

# What Pillow warns of in a doubtful file, we live with or check ourselves. Once for the process: to silence it for a
# while is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")

#: Of these, the first is what Pillow documents, and the others are what it lets through.
_PROFILE_ERRORS = (ImageCms.PyCMSError, OSError, UnicodeDecodeError)

WORKING_BYTES_PER_PIXEL = 16
"""More than any decoder takes: up to eight for the picture, as much again for its planes."""

_TO_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_SIDEWAYS = (5, 6, 7, 8)

_SRGB = ImageCms.createProfile("sRGB")
_COLOURS = Image.frombytes("RGB", (6**3, 1), bytes(51 * v for rgb in product(range(6), repeat=3) for v in rgb))


class BadImage(Exception):  # noqa: N818 - nothing is wrong with us: it is the file's fault
    """A file that cannot be decoded, however often it is tried. Its message is for the person who uploaded it."""


def decode(
    file: IO[bytes],
    format: Format,
    *,
    max_pixels: int,
    at_least: tuple[int, int] = (0, 0),
) -> Image.Image:
    """Decode the first frame of a picture, upright, in sRGB, as mode RGB or RGBA, without any metadata.

    Args:
        file: the whole file, local and seekable: an error in reading it counts as the file's.
        format: what the file was found to be at upload; no other decoder is tried.
        max_pixels: the limit on width × height, checked again before anything is allocated for the pixels.
        at_least: width and height, as displayed, that suffice the caller. A JPEG is then decoded at 1/2, 1/4 or
            1/8 as long as neither side gets smaller than that, which is much faster. (0, 0) is full size.

    Raises:
        BadImage: the file is damaged, incomplete, too large or otherwise undecodable.
    """
    with _open(file, format, max_pixels) as image:
        with _blaming_the_file(format, pixels=image.width * image.height):
            if at_least != (0, 0):
                image.draft(None, at_least[::-1] if _orientation(image) in _SIDEWAYS else at_least)
            image.load()
            if image.mode == "P" and image.palette is None:
                raise ValueError("indices of a palette that is not there")
        upright = _to_srgb(image)
        transposition = _TO_UPRIGHT.get(_orientation(image))  # now known for certain: EXIF may follow the pixels
        if transposition is not None:  # one of them is 0
            upright = upright.transpose(transposition)
    upright.info = {}
    return upright


def _open(file: IO[bytes], format: Format, max_pixels: int) -> Image.Image:
    try:
        with _blaming_the_file(format):
            image = Image.open(file, formats=[format.pillow_name])
    except Image.DecompressionBombError as error:
        raise BadImage(_too_large("far too many", max_pixels)) from error
    width, height = image.size
    if width * height > max_pixels:
        raise BadImage(_too_large(f"{width} × {height}", max_pixels))
    try:
        refuse_bomb(file, format, max_pixels)
    except ImageBomb as error:
        raise BadImage(str(error)) from error
    return image


@contextlib.contextmanager
def _blaming_the_file(format: Format, pixels: int = 0) -> Iterator[None]:
    """Turn a decoder's error into a BadImage. Only the decoder's own work belongs in here, lest we hide our faults."""
    try:
        yield
    except _DECODER_ERRORS as error:
        if memory_left() < pixels * WORKING_BYTES_PER_PIXEL:  # of which some decoders say that the file is bad
            raise MemoryError(f"{pixels:,} pixels") from error
        raise BadImage(
            f"The {format.display_name} file is damaged or incomplete: it cannot be decoded. "
            "Export the picture again and upload the new file."
        ) from error


def flatten(image: Image.Image) -> Image.Image:
    """Lay a picture of mode RGBA on white; one of mode RGB is returned as it is."""
    if image.mode != "RGBA":
        return image
    opaque = Image.new("RGB", image.size, "white")
    opaque.paste(image, mask=image.getchannel("A"))
    return opaque


def _too_large(pixels: str, max_pixels: int) -> str:
    return (
        f"The picture has {pixels} pixels; we take at most {max_pixels:,} in all. Make it smaller and upload it again."
    )


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 if there is none or it is broken: such a picture is still a picture.

    Only proper EXIF counts, as in browsers: not what XMP or a PNG's text may repeat of it.
    """
    with contextlib.suppress(*_DECODER_ERRORS):
        exif = Image.Exif()
        exif.load(image.info.get("exif") or b"")
        return int(exif.get(ExifTags.Base.Orientation, 1))
    return 1


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert whatever mode a decoder gives to sRGB: mode RGB, or RGBA if anything may be transparent."""
    icc_profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):  # 16 bits of grey, which convert() would clip rather than scale
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
        image.info = {}  # a transparent shade, if one was named, is not worth its trouble
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if icc_profile:
        with contextlib.suppress(*_PROFILE_ERRORS):  # a broken profile is as good as none
            return _from_profile(image, mode, ImageCms.ImageCmsProfile(BytesIO(icc_profile)))
    return _in_mode(image, mode)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # which would copy even so


def _from_profile(image: Image.Image, mode: str, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """Convert from an embedded profile to sRGB. Raises PyCMSError if the profile is not for such a picture."""
    match profile.profile.xcolor_space.strip():
        case "RGB" if image.mode != "CMYK":
            source, alpha = _in_mode(image, mode), None  # lcms carries the alpha of RGBA along
        case "GRAY" if image.mode in ("1", "L", "LA"):
            source, alpha = _in_mode(image, "L"), image.convert("RGBA").getchannel("A") if mode == "RGBA" else None
        case "CMYK" if image.mode == "CMYK":
            source, alpha = image, None
        case space:
            raise ImageCms.PyCMSError(f"a profile for {space} in a picture of mode {image.mode}")
    transform = _to_srgb_transform(profile, source.mode)
    if source.mode in ("RGB", "RGBA") and _changes_nothing(transform, source.mode):
        return source
    converted = transform.apply(source)
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _to_srgb_transform(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        profile,
        _SRGB,
        mode,
        "RGBA" if mode == "RGBA" else "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a profile is sRGB, by whatever name: try it on colours from all over, which costs a millisecond."""
    probe = _COLOURS.convert(mode)
    difference = ImageChops.difference(probe.convert("RGB"), transform.apply(probe).convert("RGB"))
    return max(difference.tobytes()) <= 1
