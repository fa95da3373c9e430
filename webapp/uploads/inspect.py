"""What an uploaded file is, told from its header before anything is decoded or stored."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import IO

import pillow_heif
from PIL import ImageFile
from PIL.AvifImagePlugin import AvifImageFile

from photofleet.images.bombs import ImageBomb, refuse_bomb
from photofleet.images.formats import SNIFF_BYTES, Format, sniff
from photofleet.images.tiff import Tag, first_directory
from webapp.uploads.exif import exif_of_tiff, parse_exif
from webapp.uploads.headers import (
    ExcessiveMetadataError,
    Header,
    MalformedHeaderError,
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
    map in a JPEG, thumbnails and auxiliary images in a HEIC, a TIFF's other pages) do not count, since no part of
    Photofleet decodes them. A file cut short after its header passes: whether the picture is whole is found out by
    decoding it.

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

    width, height = header.width, header.height
    if header.exif.orientation in (5, 6, 7, 8):
        width, height = height, width
    return Inspected(format, width, height, header.frames, header.exif.taken_at)


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
            case Format.TIFF:
                return _read_tiff(file)
    except ExcessiveMetadataError as error:
        raise TooMuchMetadata from error
    except Exception as error:  # on a crafted file the parsers' libraries raise anything, even SyntaxError
        raise UnreadableImage(format) from error


def _read_avif(file: IO[bytes]) -> Header:
    # The plugin's own class rather than Image.open(), whose pixel limit is not ours. It parses the boxes only.
    file.seek(0)
    with AvifImageFile(file) as image:
        return Header(*image.size, frames=image.n_frames, exif=parse_exif(image.info.get("exif", b"")))


def _read_heic(file: IO[bytes]) -> Header:
    # libheif gives the size as displayed, and its plugin neutralises the EXIF orientation accordingly.
    with _HeicFile(file) as image:
        return Header(*image.size, exif=parse_exif(image.info.get("exif") or b""))


def _read_tiff(file: IO[bytes]) -> Header:
    picture = first_directory(file)
    if picture.number(Tag.SUBFILE_TYPE, 0) & _REDUCED:
        raise MalformedHeaderError("a thumbnail comes first")
    return Header(picture.number(Tag.WIDTH, 0), picture.number(Tag.HEIGHT, 0), exif=exif_of_tiff(picture))


#: The bit of a picture that is a smaller version of another one. Cameras' raw files (DNG, NEF, ARW) are TIFFs that
#: begin with one: all that people would see of their photo is a thumbnail.
_REDUCED = 1
