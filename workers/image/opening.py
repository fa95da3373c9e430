"""Opening an uploaded picture: its header read and checked, before anything is allocated for its pixels."""

import contextlib
import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import IO

import pillow_heif
from PIL import AvifImagePlugin, Image

from photofleet.images.bombs import ImageBomb, refuse_bomb
from photofleet.images.formats import Format
from workers.memory import has_memory

# A worker process has one core to itself. libheif's own limits on sizes and counts stay as they are.
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

#: What decoders and their bindings raise on a bad file. Neither MemoryError nor Celery's time limit is among them:
#: those are about us, not about the file.
DECODER_ERRORS = (
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

# What Pillow warns of is metadata, which we drop. Once for the process: to silence it for a while is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")

WORKING_BYTES_PER_PIXEL = 16
"""More than any decoder takes: up to eight for the picture, as much again for its planes."""


class BadImage(Exception):  # noqa: N818 - nothing is wrong with us: it is the file's fault
    """A file that cannot be decoded, however often it is tried. Its message is for the person who uploaded it."""


def open_image(file: IO[bytes], format: Format, max_pixels: int) -> Image.Image:
    """Open a picture with the one decoder that its format has, and decode nothing.

    Args:
        file: the whole file, local and seekable: an error in reading it counts as the file's.
        format: what the file was found to be at upload; no other decoder is tried.
        max_pixels: the limit on width × height.

    Raises:
        BadImage: the header is damaged, the picture too large, or decoding would cost too much.
    """
    with blaming_the_file(format):
        image = Image.open(file, formats=[format.pillow_name])
    width, height = image.size
    if width * height > max_pixels:
        raise BadImage(
            f"The picture has {width} × {height} pixels; we take at most {max_pixels:,} in all. "
            "Make it smaller and upload it again."
        )
    if image.mode in ("I", "F"):  # nobody says which of their values is white
        raise BadImage(
            f"The {format.display_name} file has samples other than whole numbers of 1 to 16 bits, from 0 upwards. "
            "Export the picture with 8 or 16 bits a channel and upload the new file."
        )
    try:
        refuse_bomb(file, format, max_pixels)
    except ImageBomb as error:
        raise BadImage(str(error)) from error
    return image


def load(image: Image.Image, format: Format) -> None:
    """Decode an opened picture.

    Raises:
        BadImage: the file is damaged or incomplete.
        MemoryError: this process may not take what the picture needs.
    """
    with blaming_the_file(format, pixels=image.width * image.height):
        image.load()
        if image.mode == "P" and image.palette is None:
            raise ValueError("indices of a palette that is not there")


@contextlib.contextmanager
def blaming_the_file(format: Format, pixels: int = 0) -> Iterator[None]:
    """Turn a decoder's error into a BadImage. Only the decoder's own work belongs in here, lest we hide our faults."""
    try:
        yield
    except Image.DecompressionBombError as error:  # Pillow's own limit, which is above ours
        raise BadImage("The picture has far too many pixels. Make it smaller and upload it again.") from error
    except DECODER_ERRORS as error:
        if not has_memory(pixels * WORKING_BYTES_PER_PIXEL):  # of which some decoders say that the file is bad
            raise MemoryError(f"{pixels:,} pixels") from error
        raise BadImage(
            f"The {format.display_name} file is damaged or incomplete: it cannot be decoded. "
            "Export the picture again and upload the new file."
        ) from error
