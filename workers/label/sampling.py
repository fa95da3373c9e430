"""A few free pictures that ship with us: to calibrate a network on, to compare engines, to see that it can see."""

from collections.abc import Collection, Iterator
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from PIL import Image

from workers.label.engine import Batch
from workers.label.preprocessing import Preprocessing, Square

CALIBRATION = ("astronaut", "coffee", "galaxies", "grass", "gravel", "retina")
COMPARISON = ("bricks", "photographer", "rocket")
CHECK = ("cat", "clock")
"""Which pictures serve for what, and for nothing else: an engine does better on those that it was calibrated with.

A picture of strong colours is among the first, as numbers of 8 bits have to reach as far as its own."""

_EXPECTED = {"cat": "n02121808", "coffee": "n07929519", "rocket": "n04099429"}
_PARTS = 8


class Sample(NamedTuple):
    """A picture, and the label, or a more general one, that a network should find; None where it knows none."""

    name: str
    picture: Image.Image
    expected: str | None


def samples() -> Iterator[Sample]:
    """The pictures, by name."""
    folder = files(__package__) / "samples"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".jpg"):
            with file.open("rb") as opened, Image.open(opened) as image:
                name = file.name.removesuffix(".jpg")
                yield Sample(name, image.convert("RGB"), _EXPECTED.get(name))


def parts(preprocessing: Preprocessing, names: Collection[str] | None = None, *, seed: int = 0) -> Batch:
    """Of each picture, or those with these names, the middle and some squares elsewhere, as a network looks at them.

    Another seed gives other squares.
    """
    random = np.random.default_rng(seed)
    found = []
    for sample in samples():
        if names is not None and sample.name not in names:
            continue
        picture = sample.picture
        found.append(preprocessing.pixels(picture))
        for _ in range(_PARTS - 1):
            side = min(picture.size) * random.uniform(0.35, 0.9)
            left, top = random.uniform(0, picture.width - side), random.uniform(0, picture.height - side)
            found.append(preprocessing.pixels(picture, Square(left, top, side)))
    return np.stack(found)
