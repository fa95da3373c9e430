"""What cameras say about a picture besides its pixels."""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime

from PIL import ExifTags, Image

from photofleet.images.tiff import Directory, Tag

#: What a camera writes fits one JPEG segment, 64 KB.
MAX_EXIF_BYTES = 1 << 20


@dataclass(frozen=True)
class Exif:
    """How the picture is to be turned, by EXIF's numbers for it, and when the camera says that it was taken."""

    orientation: int = 1
    taken_at: datetime | None = None


def parse_exif(block: bytes) -> Exif:
    """Read an EXIF block; what is missing or broken in it is left out."""
    orientation, taken_at = 1, None
    if len(block) <= MAX_EXIF_BYTES:
        with contextlib.suppress(Exception):  # a picture with broken EXIF is still a picture
            tags = Image.Exif()
            tags.load(block)
            orientation = tags.get(ExifTags.Base.Orientation, 1)
            details = tags.get_ifd(ExifTags.IFD.Exif)
            taken_at = _moment(
                details.get(ExifTags.Base.DateTimeOriginal, ""), details.get(ExifTags.Base.OffsetTimeOriginal, "")
            )
    return Exif(orientation, taken_at)


def exif_of_tiff(picture: Directory) -> Exif:
    """Read what a TIFF, which keeps it among its own tags, says; what is missing or broken is left out."""
    orientation, taken_at = 1, None
    with contextlib.suppress(ValueError):
        orientation = picture.number(Tag.ORIENTATION, 1)
    if Tag.EXIF in picture:
        with contextlib.suppress(ValueError, OverflowError):  # the latter of a moment before the year 1
            details = picture.directory(Tag.EXIF)
            taken_at = _moment(details.text(Tag.TAKEN), details.text(Tag.TAKEN_OFFSET))
    return Exif(orientation, taken_at)


def _moment(time: str, offset: str) -> datetime | None:
    """When that is, in UTC; a camera that gave no time zone is taken at its word as UTC."""
    time, offset = time.strip("\0 "), offset.strip("\0 ") or "Z"
    return datetime.strptime(time + offset, "%Y:%m:%d %H:%M:%S%z").astimezone(UTC) if time else None
