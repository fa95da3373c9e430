"""Why an upload is refused: one exception for each reason, worded for the person who uploads."""

from typing import ClassVar

from photofleet.images.bombs import ImageBomb
from photofleet.images.formats import Format

_NAMES = [format.display_name for format in Format]
ACCEPTED = f"{', '.join(_NAMES[:-1])} or {_NAMES[-1]}"


class UploadRefused(Exception):  # noqa: N818 - nothing is wrong with us: a refusal is an answer, not an error
    """An upload that is not taken. Its message says what is wrong and what to do, in sentences for people.

    Attributes:
        status: the HTTP status to answer with.
        slug: names the reason in the `type` of problem details (RFC 9457).
    """

    status: ClassVar[int] = 422
    slug: ClassVar[str]


class EmptyFile(UploadRefused):
    """A file of no bytes."""

    slug = "empty-file"

    def __init__(self) -> None:
        super().__init__("The file is empty. Choose the picture again; it may not have been saved completely.")


class UnsupportedFormat(UploadRefused):
    """A file whose content is none of the accepted formats, whatever its name says."""

    status = 415
    slug = "unsupported-format"

    def __init__(self) -> None:
        super().__init__(f"This is not a picture we can read. Upload a {ACCEPTED} file.")


class UnreadableImage(UploadRefused):
    """A file that starts like a picture but whose header makes no sense."""

    slug = "unreadable-image"

    def __init__(self, format: Format) -> None:
        super().__init__(
            f"The {format.display_name} file is damaged or incomplete, or not really {format.display_name}. "
            "Export the picture again and upload the new file."
        )


class TooCostly(UploadRefused):
    """A picture that would take far more work to decode than others of its size."""

    slug = "too-costly"

    def __init__(self, bomb: ImageBomb) -> None:
        super().__init__(str(bomb))


class TooMuchMetadata(UploadRefused):
    """A picture that carries more text and other additions than any camera or editor writes."""

    slug = "too-much-metadata"

    def __init__(self) -> None:
        super().__init__(
            "The file carries an unreasonable amount of data besides the picture. "
            "Export the picture without metadata and upload the new file."
        )


class TooManyPixels(UploadRefused):
    """A picture, or all frames of an animation together, beyond the pixel limit."""

    slug = "too-many-pixels"

    def __init__(self, width: int, height: int, frames: int, limit: int) -> None:
        size = f"{width} × {height} pixels"
        if frames > 1:
            size = f"{frames:,} frames of {size}"
        super().__init__(
            f"The picture has {size}, {_count(width * height * frames)} in all; "
            f"we take at most {_count(limit)}. Make it smaller and upload it again."
        )


class TooManyFrames(UploadRefused):
    """An animation with more frames than the limit, however small they are."""

    slug = "too-many-frames"

    def __init__(self, frames: int, limit: int) -> None:
        super().__init__(
            f"The animation has {frames:,} frames; we take at most {limit:,}. "
            "Make it shorter, or upload a single frame."
        )


class NoFile(UploadRefused):
    """A form without a file."""

    slug = "no-file"

    def __init__(self) -> None:
        super().__init__("No photo was chosen. Choose one or more photos, then upload them.")


class NotAForm(UploadRefused):
    """A request that is not a form with files."""

    status = 415
    slug = "not-a-form"

    def __init__(self) -> None:
        super().__init__("Photos are sent as a form: multipart/form-data, each file in a field named photo.")


class FileTooLarge(UploadRefused):
    """A file of more bytes than the limit."""

    status = 413
    slug = "file-too-large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"The file has {_megabytes(size)}; we take at most {_megabytes(limit)}. "
            "Export the picture smaller, or as a JPEG, and upload it again."
        )


class TooManyFiles(UploadRefused):
    """More files in one request than the limit."""

    status = 413
    slug = "too-many-files"

    def __init__(self, limit: int) -> None:
        files = "one photo" if limit == 1 else f"{limit} photos"
        super().__init__(f"Too many files: we take at most {files} at once. Upload the rest afterwards.")


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f}".removesuffix(".0") + " MB"


def _count(pixels: int) -> str:
    if pixels < 1_000_000:
        return f"{pixels:,} pixels"
    return f"{pixels / 1_000_000:,.1f}".removesuffix(".0") + " megapixels"
