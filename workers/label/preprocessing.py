"""From a picture to the square of pixels that a network was trained on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from cykooz_resizer import CropBox, FilterType, ResizeAlg, ResizeOptions, Resizer
from numpy.typing import NDArray
from PIL import Image

_FILTERS = {
    Image.Resampling.BILINEAR: FilterType.bilinear,
    Image.Resampling.BICUBIC: FilterType.catmull_rom,
    Image.Resampling.LANCZOS: FilterType.lanczos3,
}
"""Pillow's filters, with which networks are trained, and those that do the same in a fifth of the time."""


class Square(NamedTuple):
    """A square part of a picture, in its pixels, which need not be whole."""

    left: float
    top: float
    side: float


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its pictures.

    They are the middle square of the photo, `crop` times its short side, resized to `size` pixels, and every
    channel (0 to 255) less `mean`, divided by `deviation`. The last is a part of the model, which takes whole numbers.
    """

    size: int
    crop: float
    resampling: Image.Resampling
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    @property
    def short_side(self) -> int:
        """The pixels of a photo's short side at which none is wasted; a larger photo may be decoded smaller."""
        return math.ceil(self.size / self.crop)

    def middle(self, width: int, height: int) -> Square:
        """The square in the middle of a picture that networks are tested with."""
        side = self.crop * min(width, height)
        return Square((width - side) / 2, (height - side) / 2, side)

    def pixels(self, picture: Image.Image, square: Square | None = None) -> NDArray[np.uint8]:
        """Cut a square, or the one in the middle, out of an upright sRGB picture of mode RGB.

        Returns:
            Its pixels, of shape (size, size, 3).
        """
        if picture.mode != "RGB":
            raise ValueError(f"expected a picture of mode RGB, not {picture.mode}")
        left, top, side = square or self.middle(*picture.size)
        # Resized and cropped in one step: a photo of 1 x 10,000 px never becomes one of 300 x 3,000,000.
        resized = Image.new("RGB", (self.size, self.size))
        within = CropBox(left, top, min(side, picture.width - left), min(side, picture.height - top))
        how = ResizeOptions(ResizeAlg.convolution(_FILTERS[self.resampling]), crop_box=within)
        Resizer().resize_pil(picture, resized, how)
        return np.array(resized)

    def as_json(self) -> Mapping[str, Any]:
        """What `from_json` takes."""
        return vars(self) | {"resampling": self.resampling.name.lower()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The preprocessing of a file.

        Raises:
            ValueError: naming what is missing or wrong.
        """
        wrong = values.keys() ^ {"size", "crop", "resampling", "mean", "deviation"}
        if wrong:
            raise ValueError(f"{', '.join(sorted(wrong))}: missing or not known")
        size, crop = values["size"], values["crop"]
        names = [resampling.name.lower() for resampling in _FILTERS]
        if not isinstance(size, int) or not 1 <= size <= 4096:
            raise ValueError(f"size: a number of pixels up to 4096, not {size!r}")
        if not isinstance(crop, int | float) or not 0 < crop <= 1:
            raise ValueError(f"crop: more than 0 and at most 1, not {crop!r}")
        if values["resampling"] not in names:
            raise ValueError(f"resampling: one of {', '.join(names)}, not {values['resampling']!r}")
        mean, deviation = _channels("mean", values), _channels("deviation", values)
        if min(deviation) <= 0:
            raise ValueError("deviation: three numbers more than 0")
        return cls(size, float(crop), Image.Resampling[values["resampling"].upper()], mean, deviation)


def _channels(name: str, values: Mapping[str, Any]) -> tuple[float, float, float]:
    found = values[name]
    if not isinstance(found, list | tuple) or len(found) != 3 or not all(isinstance(v, int | float) for v in found):
        raise ValueError(f"{name}: three numbers from 0 to 255, one for each of red, green and blue")
    red, green, blue = found
    return float(red), float(green), float(blue)
