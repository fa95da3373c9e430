"""Which renditions a photo gets, as the setting PHOTOFLEET_RENDITIONS declares them for every program."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum

from photofleet.images.formats import Format

DEFAULT_RENDITIONS = (
    "w160 160, w320 320, w640 640, w1280 1280, w2048 2048, animated 640 animation"  # every photo: JPEG and WebP
)

MOST = 20
MAX_SIDE = 16_383
"""What a WebP can be on a side, in pixels (RFC 9649, section 2.6)."""

PIPELINE = 1
"""Counts up when the same declaration begins to give other files, so that `photofleet renditions refresh` finds out."""

_NAME = re.compile(r"[a-z][a-z0-9]{0,19}")
_SIZE = re.compile(r"(\d{1,5})(?:x(\d{1,5}))?")
_FILE = re.compile(r"(jpeg|webp|avif)(?::(\d{1,3}))?(?::(\d{1,2}))?")


class Mode(StrEnum):
    """How a picture gets into its box.

    `fit`: the whole picture, no larger than the box. `cover`: the middle of the picture that fills the box's
    proportions. `animation`: all frames, each fitted; only of pictures that move.
    """

    FIT = "fit"
    COVER = "cover"
    ANIMATION = "animation"


#: The quality unless declared, and the efforts that the encoder knows, the first of which is taken unless declared:
#: JPEG 1 is progressive, WebP's is its method, AVIF's how far below its fastest speed it stays;
#: more of it would take minutes for the largest photos.
_QUALITIES = {Format.JPEG: 80, Format.WEBP: 80, Format.AVIF: 63}
_EFFORTS = {Format.JPEG: (0, 1), Format.WEBP: (4, 0, 1, 2, 3, 5, 6), Format.AVIF: (1, 0, 2, 3, 4)}


@dataclass(frozen=True)
class RenditionSpec:
    """One file of a photo that is to be made: no photo is enlarged for it.

    Attributes:
        name: What it is called, for all its formats.
        width: Of its box, in pixels.
        height: Of its box; None if only the width is limited.
        mode: How the picture gets into the box.
        format: JPEG, WebP or AVIF.
        quality: 1 to 100, as the encoder understands it.
        effort: How hard the encoder tries to save bytes.
    """

    name: str
    width: int
    height: int | None
    mode: Mode
    format: Format
    quality: int
    effort: int

    @property
    def revision(self) -> str:
        """Eight letters that are others for whatever gives another file."""
        return _digest(self)


def parse_renditions(text: str) -> tuple[RenditionSpec, ...]:
    """Read a declaration, of entries separated by commas: `NAME SIZE [cover|animation] [FORMAT[:QUALITY[:EFFORT]]...]`.

    SIZE is a width or a box (400x400). Every rendition is made as JPEG and WebP, and as AVIF where that is named; an
    animation as WebP only.

    Raises:
        ValueError: naming the entry that is wrong, and what is wrong with it.
    """
    specs: list[RenditionSpec] = []
    for entry in text.split(","):
        parsed = list(_parse(entry.split()))
        if any(spec.name == parsed[0].name for spec in specs):
            raise ValueError(f"{parsed[0].name} is declared twice")
        specs += parsed
    if len({spec.name for spec in specs}) > MOST:
        raise ValueError(f"more than {MOST} renditions")
    if not any(spec.mode is Mode.FIT for spec in specs):
        raise ValueError("none of the renditions shows the whole picture, which pages need")
    return tuple(specs)


def revision(specs: Sequence[RenditionSpec]) -> str:
    """Eight letters that are others if a photo would get other renditions."""
    return _digest(*specs)


def _parse(words: Sequence[str]) -> Iterator[RenditionSpec]:
    entry = " ".join(words)
    if len(words) < 2:
        raise ValueError(f"{entry!r} is no rendition; it takes a name and a size, like 'w320 320'")
    name, size, *rest = words
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a rendition; it takes up to 20 small letters and digits")
    box = _SIZE.fullmatch(size)
    sides = [int(side) for side in box.groups() if side] if box else []
    if not sides or not all(1 <= side <= MAX_SIDE for side in sides):
        raise ValueError(f"{name}: {size!r} is no size; it takes a width or a box like 400x300, to {MAX_SIDE:,} pixels")
    mode = Mode(rest.pop(0)) if rest and rest[0] in list(Mode) else Mode.FIT
    width, height = sides[0], sides[1] if len(sides) > 1 else None
    if mode is Mode.COVER and height is None:
        raise ValueError(f"{name}: only a box can be covered; it takes a size like 400x300")
    files = dict(_file(name, word) for word in rest)
    if mode is Mode.ANIMATION and files.keys() - {Format.WEBP}:
        raise ValueError(f"{name}: an animation is made as webp only")
    always = [Format.WEBP] if mode is Mode.ANIMATION else [Format.JPEG, Format.WEBP]
    for format in [*always, *(files.keys() - set(always))]:
        quality, effort = files.get(format, (_QUALITIES[format], _EFFORTS[format][0]))
        yield RenditionSpec(name, width, height, mode, format, quality, effort)


def _file(name: str, word: str) -> tuple[Format, tuple[int, int]]:
    found = _FILE.fullmatch(word)
    if not found:
        raise ValueError(f"{name}: {word!r} is none of fit, cover, animation, jpeg, webp and avif")
    format = Format.named(found[1])
    quality = int(found[2] or _QUALITIES[format])
    effort = int(found[3] or _EFFORTS[format][0])
    if not 1 <= quality <= 100:
        raise ValueError(f"{name}: {word!r} has no quality from 1 to 100")
    if effort not in _EFFORTS[format]:
        raise ValueError(f"{name}: {word!r} has no effort from 0 to {max(_EFFORTS[format])}")
    return format, (quality, effort)


def _digest(*specs: RenditionSpec) -> str:
    return hashlib.sha256(repr((PIPELINE, *map(astuple, specs))).encode()).hexdigest()[:8]
