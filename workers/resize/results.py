"""What becomes of a photo in the resize fleet."""

from dataclasses import dataclass

from photofleet.images.renditions import RenditionSpec


@dataclass(frozen=True)
class Rendition:
    """One encoded rendition: what was asked for, its size in pixels, and its file's content."""

    spec: RenditionSpec
    width: int
    height: int
    data: bytes


@dataclass(frozen=True)
class Placeholder:
    """What stands in a page until the picture itself is there.

    Attributes:
        preview: The picture as a WebP of a few hundred bytes; None if anything in it is transparent, as the picture
            would not cover it.
        colour: Its dominant colour, like `#a0b1c2`.
    """

    preview: bytes | None
    colour: str
