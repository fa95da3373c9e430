"""From whatever colours a file has to sRGB."""

import contextlib
from functools import lru_cache
from io import BytesIO
from itertools import product

from PIL import Image, ImageChops, ImageCms, TiffImagePlugin

#: Of these, the first is what Pillow documents, and the others are what it lets through.
_PROFILE_ERRORS = (ImageCms.PyCMSError, OSError, UnicodeDecodeError)

_SRGB = ImageCms.createProfile("sRGB")
_LAB_TO_SRGB = ImageCms.buildTransform(ImageCms.createProfile("LAB"), _SRGB, "LAB", "RGB")
_COLOURS = Image.frombytes("RGB", (6**3, 1), bytes(51 * v for rgb in product(range(6), repeat=3) for v in rgb))

_PROFILES_KEPT = 8
"""Transforms that are kept; phones and cameras use few profiles, and one is built in about 5 ms."""


def in_plain_mode(image: Image.Image) -> Image.Image:
    """Convert whatever mode a decoder gives to eight bits a channel: L, LA, RGB, RGBA or CMYK; no colour changes.

    It has an alpha channel if anything may be transparent.
    """
    if image.mode.startswith("I;16"):  # which convert() would clip rather than scale
        return _scaled_to_bytes(image)
    if image.mode == "LAB":  # which only a profile makes into colours that convert() knows
        return _LAB_TO_SRGB.apply(image)
    has_alpha = image.has_transparency_data
    match image.mode:
        case "1" | "L" | "LA" | "La":
            plain = "LA" if has_alpha else "L"
        case "CMYK":
            plain = "CMYK"
        case _:
            plain = "RGBA" if has_alpha else "RGB"
    return image if image.mode == plain else image.convert(plain)


def _scaled_to_bytes(image: Image.Image) -> Image.Image:
    tags = getattr(image, "tag_v2", {})  # of a TIFF, which may have fewer bits, and may count from white
    (bits,) = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))
    scale, offset = 255 / (2**bits - 1), 0.0
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:
        scale, offset = -scale, 255.0
    plain = image.convert("I").point(lambda value: value * scale + offset).convert("L")
    # A transparent shade, if one was named, is not worth its trouble.
    plain.info = {key: value for key, value in image.info.items() if key != "transparency"}
    return plain


def to_srgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    """Convert a picture in a plain mode from its embedded profile, if it has one that fits it, to mode RGB or RGBA."""
    mode = "RGBA" if image.mode in ("LA", "RGBA") else "RGB"
    if icc_profile:
        with contextlib.suppress(*_PROFILE_ERRORS):  # a broken profile is as good as none
            return _from_profile(image, mode, icc_profile)
    return image if image.mode == mode else image.convert(mode)


def _from_profile(image: Image.Image, mode: str, icc_profile: bytes) -> Image.Image:
    alpha = image.getchannel("A") if image.mode == "LA" else None
    source = image.getchannel("L") if image.mode == "LA" else image  # lcms carries the alpha of RGBA along
    transform = _transform(icc_profile, source.mode)
    if transform is None:
        return image
    converted = transform.apply(source)
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


@lru_cache(_PROFILES_KEPT)
def _transform(icc_profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build the transform to sRGB; None if it changes nothing. Raises PyCMSError if there is none for such a mode."""
    profile = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
    space = profile.profile.xcolor_space.strip()
    if {"RGB": "RGB", "RGBA": "RGB", "L": "GRAY", "CMYK": "CMYK"}[mode] != space:
        raise ImageCms.PyCMSError(f"a profile for {space} in a picture of mode {mode}")
    transform = ImageCms.buildTransform(
        profile,
        _SRGB,
        mode,
        "RGBA" if mode == "RGBA" else "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return None if mode in ("RGB", "RGBA") and _changes_nothing(transform, mode) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a profile is sRGB, by whatever name: try it on colours from all over, which costs a millisecond."""
    probe = _COLOURS.convert(mode)
    difference = ImageChops.difference(probe.convert("RGB"), transform.apply(probe).convert("RGB"))
    return max(difference.tobytes()) <= 1
