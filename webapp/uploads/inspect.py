"""What an uploaded file is, told from its header before anything is decoded or stored."""

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

import pillow_heif
from PIL import ExifTags, Image, ImageFile
from PIL.AvifImagePlugin import AvifImageFile

from photofleet.images.bombs import ImageBomb, refuse_bomb
from photofleet.images.formats import SNIFF_BYTES, Format, sniff
from webapp.uploads.headers import (
    MAX_EXIF_BYTES,
    ExcessiveMetadataError,
    Header,
    read_gif,
    read_jpeg,
    read_png,
    read_webp,
)
from webapp.uploads.refusals import (
    EmptyFile,
    TooCostly,
    TooManyFrames,
    TooManyPixels,
    TooMuchMetadata,
    UnreadableImage,
    UnsupportedFormat,
)

MAX_FRAMES = 1_000

# Only the primary picture is ever looked at. libheif's own limits on sizes and counts stay as they are.
pillow_heif.options.THUMBNAILS = False
pillow_heif.options.DEPTH_IMAGES = False
pillow_heif.options.AUX_IMAGES = False

# What Pillow warns of in a doubtful file, we live with. Once for the process: to silence it for a while is not
# thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")

_HeicFile: Callable[[IO[bytes]], ImageFile.ImageFile] = pillow_heif.HeifImageFile


@dataclass(frozen=True)
class Inspected:
    """What a picture's header says of it.

    Width and height, in pixels, are those that people see: EXIF orientation is applied. `taken_at` is when
    the camera says it was taken, in UTC; a camera that gave no time zone is taken at its word as UTC.
    """

    format: Format
    width: int
    height: int
    frames: int
    taken_at: datetime | None


def inspect(file: IO[bytes], *, max_pixels: int) -> Inspected:
    """Inspect an upload without decoding it. `file` must be seekable; its position afterwards is undefined.

    `max_pixels` limits width × height × frames. Further pictures that are not frames of an animation (a gain
    map in a JPEG, thumbnails and auxiliary images in a HEIC) do not count, since no part of Photofleet decodes
    them. A file cut short after its header passes: whether the picture is whole is found out by decoding it.

    An AVIF or HEIC is read into memory whole, for a moment twice, since the libraries for these take no less;
    whoever calls this limits how large a file may be. Files of the other formats are read in small parts.

    Raises: a subclass of `UploadRefused`.
    """
    file.seek(0)
    start = file.read(SNIFF_BYTES)
    if not start:
        raise EmptyFile
    format = sniff(start)
    if format is None:
        raise UnsupportedFormat

    header = _read_header(file, format)
    if header.width < 1 or header.height < 1:
        raise UnreadableImage(format)
    if header.width * header.height * header.frames > max_pixels:
        raise TooManyPixels(header.width, header.height, header.frames, max_pixels)
    if header.frames > MAX_FRAMES:
        raise TooManyFrames(header.frames, MAX_FRAMES)
    try:
        refuse_bomb(file, format, max_pixels)
    except ImageBomb as error:
        raise TooCostly(error) from error

    orientation, taken_at = _read_exif(header.exif)
    width, height = header.width, header.height
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return Inspected(format, width, height, header.frames, taken_at)


def _read_header(file: IO[bytes], format: Format) -> Header:
    try:
        match format:
            case Format.JPEG:
                return read_jpeg(file)
            case Format.PNG:
                return read_png(file)
            case Format.GIF:
                return read_gif(file)
            case Format.WEBP:
                return read_webp(file)
            case Format.AVIF:
                return _read_avif(file)
            case Format.HEIC:
                return _read_heic(file)
    except ExcessiveMetadataError as error:
        raise TooMuchMetadata from error
    except Exception as error:  # on a crafted file the parsers' libraries raise anything, even SyntaxError
        raise UnreadableImage(format) from error


def _read_avif(file: IO[bytes]) -> Header:
    # The plugin's own class rather than Image.open(), whose pixel limit is not ours. It parses the boxes only.
    file.seek(0)
    with AvifImageFile(file) as image:
        return Header(*image.size, frames=image.n_frames, exif=image.info.get("exif", b""))


def _read_heic(file: IO[bytes]) -> Header:
    # libheif gives the size as displayed, and its plugin neutralises the EXIF orientation accordingly.
    with _HeicFile(file) as image:
        return Header(*image.size, exif=image.info.get("exif") or b"")


def _read_exif(exif: bytes) -> tuple[int, datetime | None]:
    """Return orientation and time of an EXIF block; what is missing or broken in it is left out."""
    orientation, taken_at = 1, None
    if len(exif) <= MAX_EXIF_BYTES:
        with contextlib.suppress(Exception):  # a picture with broken EXIF is still a picture
            tags = Image.Exif()
            tags.load(exif)
            orientation = tags.get(ExifTags.Base.Orientation, 1)
            taken_at = _taken_at(tags.get_ifd(ExifTags.IFD.Exif))
    return orientation, taken_at


def _taken_at(tags: dict[int, str]) -> datetime | None:
    time = tags.get(ExifTags.Base.DateTimeOriginal, "").strip("\0 ")
    offset = tags.get(ExifTags.Base.OffsetTimeOriginal, "").strip("\0 ") or "Z"
    if not time:
        return None
    return datetime.strptime(time + offset, "%Y:%m:%d %H:%M:%S%z").astimezone(UTC)
