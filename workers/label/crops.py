"""Where on a photo a network looks: in the middle, and along a wide or tall photo at more places than that."""

from workers.label.preprocessing import Square

MOST = 5
"""The most squares that one photo gives."""


def crops(width: int, height: int, share: float) -> list[Square]:
    """The squares of a photo that are looked at: one in its middle, and others at even distances on both sides of it.

    One suffices up to 16:10, which the usual 4:3 and 3:2 are within. Three of the usual share, 7/8, leave no gap up to
    11:4, and on 16:9 find what stands at its sides; five are for panoramas. Their number is odd, as what matters most
    is in the middle.

    Args:
        width: Of the photo, in pixels.
        height: Likewise.
        share: A square's side, of the photo's short side, more than 0 and at most 1: that of the middle square with
            which the network is tested (`Preprocessing.crop`), so that things are as large as it knows them.
    """
    short, long = sorted((width, height))
    ratio = long / short
    count = 1 if ratio <= 1.6 else 3 if ratio <= 2.75 else MOST
    side = share * short
    margin = (short - side) / 2
    first, last = ((long - side) / 2,) * 2 if count == 1 else (margin, long - margin - side)
    step = (last - first) / max(count - 1, 1)
    places = [first + step * index for index in range(count)]
    return [Square(place, margin, side) if width >= height else Square(margin, place, side) for place in places]
