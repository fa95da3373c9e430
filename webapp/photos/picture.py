"""Which of a photo's files a page offers to browsers, and what stands in until the chosen one is there."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from photofleet.catalog.models import Photo, Rendition
from photofleet.images.formats import Format
from photofleet.images.renditions import Mode
from photofleet.storage import rendition_url

#: The largest file for browsers that do not choose for themselves.
_FALLBACK_WIDTH = 640

#: Beside JPEG, which every browser reads, the smaller files first.
_BETTER = (Format.AVIF, Format.WEBP)


@dataclass(frozen=True)
class Source:
    """Files of one format, as `<source>` takes them."""

    content_type: str
    srcset: str


@dataclass(frozen=True)
class Picture:
    """How a photo is shown.

    Attributes:
        animation: Its moving version, if it moves.
        sources: Its files in better formats than JPEG, the best first.
        src: One JPEG, of middling size.
        srcset: All JPEGs.
        width: Of the largest.
        height: Of the largest.
        preview: The address of what stands in for it; None if nothing may.
    """

    animation: Source | None
    sources: Sequence[Source]
    src: str
    srcset: str
    width: int
    height: int
    preview: str | None


@dataclass(frozen=True)
class Size:
    """A size of a photo, with its file in each format. It has a name unless it is the whole picture, standing still."""

    name: str
    width: int
    height: int
    files: Mapping[str, Rendition]


def picture_of(photo: Photo) -> Picture | None:
    """How the photo is shown; None as long as there is nothing to show."""
    whole = [rendition for rendition in photo.renditions if rendition.mode == Mode.FIT]
    jpegs = _of_format(whole, Format.JPEG)
    if not jpegs:
        return None
    # A browser takes the first format that it can read. Of one that has not all sizes, it would load too large a file.
    better = [files for format in _BETTER if _widths(files := _of_format(whole, format)) >= _widths(jpegs)]
    moving = [rendition for rendition in photo.renditions if rendition.mode == Mode.ANIMATION]
    src = [jpeg for jpeg in jpegs if jpeg.width <= _FALLBACK_WIDTH][-1:] or jpegs[:1]
    return Picture(
        animation=_source(moving) if moving else None,
        sources=[_source(files) for files in better],
        src=rendition_url(src[0].key),
        srcset=_srcset(jpegs),
        width=jpegs[-1].width,
        height=jpegs[-1].height,
        preview=preview_address(photo),
    )


def preview_address(photo: Photo) -> str | None:
    """The photo's preview as an address that holds all of it; None if it has none."""
    if photo.preview is None:
        return None
    return f"data:{Format.WEBP.content_type};base64,{base64.b64encode(photo.preview).decode('ascii')}"


def sizes_of(photo: Photo) -> list[Size]:
    """The photo's files: those of the whole picture first, the smallest first, then crops, then the animation."""

    def row(rendition: Rendition) -> tuple[int, int, int, str]:
        name = "" if rendition.mode == Mode.FIT else rendition.name
        return list(Mode).index(Mode(rendition.mode)), rendition.width, rendition.height, name

    return [
        Size(name, width, height, {rendition.format: rendition for rendition in files})
        for (_, width, height, name), files in groupby(sorted(photo.renditions, key=row), key=row)
    ]


def _of_format(renditions: Iterable[Rendition], format: Format) -> list[Rendition]:
    files = [rendition for rendition in renditions if rendition.format == format]
    return sorted(files, key=lambda rendition: rendition.width)


def _widths(renditions: Iterable[Rendition]) -> set[int]:
    return {rendition.width for rendition in renditions}


def _source(renditions: Sequence[Rendition]) -> Source:
    return Source(Format.named(renditions[0].format).content_type, _srcset(renditions))


def _srcset(renditions: Iterable[Rendition]) -> str:
    return ", ".join(f"{rendition_url(rendition.key)} {rendition.width}w" for rendition in renditions)
