"""Where on a photo a network looks: in the middle, and along a wide or tall photo at more places than that."""

from typing import NamedTuple

MOST = 5
"""The most squares that one photo gives."""

_SIDE = 0.875
"""Of the short side: what the middle square is in the networks' own evaluation, so that their pictures look like it."""


class Crop(NamedTuple):
    """A square part of a photo, in its pixels, which need not be whole."""

    left: float
    top: float
    side: float


def crops(width: int, height: int) -> list[Crop]:
    """The squares of a photo that are looked at: one in its middle, and others at even distances on both sides of it.

    One suffices up to 16:10, which the usual 4:3 and 3:2 are within. Three leave no gap up to 11:4, and on 16:9 find
    what stands at its sides; five are for panoramas. Their number is odd, as what matters most is in the middle.
    """
    short, long = sorted((width, height))
    ratio = long / short
    count = 1 if ratio <= 1.6 else 3 if ratio <= 2.75 else MOST
    side = _SIDE * short
    margin = (short - side) / 2
    first, last = ((long - side) / 2,) * 2 if count == 1 else (margin, long - margin - side)
    step = (last - first) / max(count - 1, 1)
    places = [first + step * index for index in range(count)]
    return [Crop(place, margin, side) if width >= height else Crop(margin, place, side) for place in places]
