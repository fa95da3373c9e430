"""Decoding a picture to what a network looks at: upright, in sRGB."""

from typing import IO

from PIL import Image

from photofleet.images.formats import Format
from workers.image.colour import in_plain_mode, to_srgb
from workers.image.opening import blaming_the_file, load, open_image
from workers.image.orientation import orientation_of, turned, upright


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
    with open_image(file, format, max_pixels) as image:
        if at_least != (0, 0):
            with blaming_the_file(format):
                image.draft(None, turned(at_least, orientation_of(image)))
        load(image, format)
        decoded = to_srgb(in_plain_mode(image), image.info.get("icc_profile"))
        decoded = upright(decoded, orientation_of(image))
    decoded.info = {}
    return decoded


def flatten(image: Image.Image) -> Image.Image:
    """Lay a picture of mode RGBA on white; one of mode RGB is returned as it is."""
    if image.mode != "RGBA":
        return image
    opaque = Image.new("RGB", image.size, "white")
    opaque.paste(image, mask=image.getchannel("A"))
    return opaque
