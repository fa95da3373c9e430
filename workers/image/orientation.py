"""Which way up a picture is, as its EXIF says."""

import contextlib

from PIL import ExifTags, Image

from workers.image.opening import DECODER_ERRORS

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


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 if there is none or it is broken: such a picture is still a picture.

    Only proper EXIF counts, as in browsers: not what XMP or a PNG's text may repeat of it. It is known for certain when
    the picture has been decoded, as EXIF may follow the pixels. Pillow turns a TIFF by itself, as libheif does a HEIC.
    """
    with contextlib.suppress(*DECODER_ERRORS):
        exif = Image.Exif()
        exif.load(image.info.get("exif") or b"")
        return int(exif.get(ExifTags.Base.Orientation, 1))
    return 1


def turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return the width and height, as displayed, of a picture stored in this size, or the other way round."""
    return size[::-1] if orientation in _SIDEWAYS else size


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return the picture as it is to be looked at."""
    transposition = _TO_UPRIGHT.get(orientation)
    return image if transposition is None else image.transpose(transposition)
