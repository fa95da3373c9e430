"""Decoding a picture to what a network looks at: upright, in sRGB."""

from io import BytesIO

from PIL import Image

from photofleet.images.formats import Format
from workers.image.colour import to_srgb
from workers.image.opening import open_image
from workers.image.orientation import orientation_of, turned, upright
from workers.image.reading import as_image, read


def decode(
    original: bytes,
    format: Format,
    *,
    max_pixels: int,
    at_least: tuple[int, int] = (0, 0),
) -> Image.Image:
    """Decode the first frame of a picture, upright, in sRGB, as mode RGB or RGBA, without any metadata.

    Args:
        original: the file.
        format: what the file was found to be at upload; no other decoder is tried.
        max_pixels: the limit on width × height, checked again before anything is allocated for the pixels.
        at_least: width and height, as displayed, that suffice the caller. A JPEG is then decoded at 1/2, 1/4 or
            1/8 as long as neither side gets smaller than that, which is much faster. (0, 0) is full size.

    Raises:
        BadImage: the file is damaged, incomplete, too large or otherwise undecodable.
    """
    with open_image(BytesIO(original), format, max_pixels) as image:
        enough = image.size if at_least == (0, 0) else turned(at_least, orientation_of(image))
        decoded = as_image(read(image, original, format, enough))
        decoded = to_srgb(decoded, image.info.get("icc_profile"))
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
