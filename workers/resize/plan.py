"""Which sizes a photo is to be made in, in which order, and which files of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from photofleet.images.renditions import MAX_SIDE, Mode, RenditionSpec

Size = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """One size of a photo, and what is to be made of it.

    Attributes:
        size: Width and height of the whole picture, in pixels.
        crop: Left, top, width and height of the part that is wanted; all of it if nothing is cut off.
        specs: The files to be made.
    """

    size: Size
    crop: tuple[int, int, int, int]
    specs: tuple[RenditionSpec, ...]


def plan(size: Size, specs: Sequence[RenditionSpec]) -> list[Step]:
    """Return the steps for a photo that is displayed in this size, largest first, so that each can be made of the last.

    No photo is enlarged. Of the renditions that would show it in its own size, only the smallest is made: one 500 px
    wide gets w160, w320 and a w640 that is 500 px wide, and no w1280. Animations are no part of it.
    """
    # Both formats of a rendition have the same size, so it is WebP's limit that counts.
    largest = fitted(size, MAX_SIDE, MAX_SIDE)
    made, at_own_size = [], set()
    for spec in sorted(specs, key=lambda spec: (spec.width, spec.height or MAX_SIDE)):
        if spec.mode is Mode.COVER and spec.height:
            made.append((*_covering(largest, spec.width, spec.height), spec))
        elif spec.mode is Mode.FIT and spec.format not in at_own_size:
            whole = fitted(largest, spec.width, spec.height)
            if whole == largest:
                at_own_size.add(spec.format)
            made.append((whole, (0, 0, *whole), spec))
    made.sort(key=lambda item: item[:2], reverse=True)
    return [
        Step(whole, crop, tuple(spec for *_, spec in group))
        for (whole, crop), group in groupby(made, key=lambda item: item[:2])
    ]


def fitted(size: Size, width: int, height: int | None) -> Size:
    """Return the largest size, not above its own, in which all of a picture fits into a box."""
    factor = min(1.0, width / size[0], (height or MAX_SIDE) / size[1])
    return _scaled(size, factor)


def _covering(size: Size, width: int, height: int) -> tuple[Size, tuple[int, int, int, int]]:
    """Return the size in which a picture just covers a box, and its middle part of the box's proportions."""
    whole = _scaled(size, min(1.0, max(width / size[0], height / size[1])))
    part_width, part_height = fitted((width, height), *whole)
    return whole, ((whole[0] - part_width) // 2, (whole[1] - part_height) // 2, part_width, part_height)


def _scaled(size: Size, factor: float) -> Size:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
