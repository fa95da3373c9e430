"""What the network says of photos, of parts of them, and of what is made of them."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photofleet.images.formats import Format
from tests.bench.labels_quality.photos import LabelledPhoto, panoramas, wide
from workers.label.crops import crops
from workers.label.models import Model
from workers.label.preprocessing import Square
from workers.label.squares import read_squares

SETS = {
    "whole photos": "",
    "parts": "parts_",
    "wide photos": "wide_",
    "panoramas of 2": "panorama_2_",
    "panoramas of 3": "panorama_3_",
}
"""Of what labels are judged, and with what the names of its figures begin."""

WIDE = tuple(SETS)[2:]
"""Those of which the network looks at several squares."""

_MAX_PIXELS = 100_000_000

Logits = NDArray[np.float32]


class Case(NamedTuple):
    """What a network says of the squares (n, classes) of a picture, and the photos that it is made of.

    The temperature is one that was fitted on other photos.
    """

    photos: Sequence[LabelledPhoto]
    logits: Logits
    temperature: float

    def only_middle(self) -> Self:
        """The case had nobody looked at the sides."""
        return self._replace(logits=self.logits[[len(self.logits) // 2]])


def find_cases(
    photos: Sequence[LabelledPhoto], parts: Logits, temperatures: NDArray[np.float64], model: Model
) -> dict[str, list[Case]]:
    """The cases of each of `SETS`.

    Args:
        photos: The photos.
        parts: What the network says of parts of each, (photos, parts, classes).
        temperatures: One for each photo, of which two alternate.
        model: The network.
    """
    cases: dict[str, list[Case]] = {name: [] for name in SETS}
    for photo, of_photo, temperature in zip(photos, parts, temperatures.tolist(), strict=True):
        cases["whole photos"].append(Case([photo], _classify_file(photo, model), temperature))
        cases["parts"] += [Case([photo], part[None], temperature) for part in of_photo]
        cases["wide photos"].append(Case([photo], _classify_squares(wide(photo), model), temperature))
    for half, temperature in enumerate(temperatures[:2].tolist()):
        for count in (2, 3):
            cases[f"panoramas of {count}"] += [
                Case(members, _classify_squares(image, model), temperature)
                for members, image in panoramas(photos[half::2], count)
            ]
    return cases


def _classify_file(photo: LabelledPhoto, model: Model) -> Logits:
    """What the network says of a photo's squares, as the worker reads them."""
    squares = read_squares(photo.path.read_bytes(), Format.JPEG, model.preprocessing, max_pixels=_MAX_PIXELS)
    return model.classify(squares).logits


def _classify_squares(image: Image.Image, model: Model) -> Logits:
    squares = crops(*image.size, model.preprocessing.crop)
    return classify([(image, square) for square in squares], model)


def classify(squares: Sequence[tuple[Image.Image, Square]], model: Model) -> Logits:
    """What the network says of squares of pictures (squares, classes)."""
    return model.classify(np.stack([model.preprocessing.pixels(image, square) for image, square in squares])).logits
