"""From a photo to the square of numbers that a network was trained on."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its images.

    They are the middle square of the photo, `crop` times its short side, resized to `size` pixels, and every
    channel (0 to 255) less `mean`, divided by `deviation`.
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

    def __call__(self, image: Image.Image) -> Tensor:
        """Map an upright sRGB image of mode RGB, whatever its size, to (3, size, size)."""
        if image.mode != "RGB":
            raise ValueError(f"expected an image of mode RGB, not {image.mode}")
        side = self.crop * min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        # Resized and cropped in one step: a photo of 1 x 10,000 px never becomes one of 300 x 3,000,000.
        square = image.resize((self.size, self.size), self.resampling, (left, top, left + side, top + side))
        pixels = np.asarray(square, np.float32) - np.array(self.mean, np.float32)
        return torch.from_numpy(pixels / np.array(self.deviation, np.float32)).permute(2, 0, 1)
