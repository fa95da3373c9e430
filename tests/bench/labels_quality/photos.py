"""Photos of which is known what they show, and what is made of them: parts, wide photos, and panoramas."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image, ImageOps

from photofleet.catalog.taxonomy import load_taxonomy
from workers.label.imagenet import class_ids
from workers.label.preprocessing import Square

LABELLED = Path(__file__).parents[4] / "shared" / "photos" / "labelled"

PARTS = 4
_PART_OF_AREA = (0.12, 0.7)
"""How much of the largest square a part may be. It was chosen, on the 200 photos themselves, so that efficientnet_lite2
is right on 77 % of parts, which its authors say of photos that it has never seen: that share is no result."""
_PANORAMA_HEIGHT = 480


@dataclass(frozen=True)
class LabelledPhoto:
    """A file, and the WordNet id of what its photo shows."""

    path: Path
    class_id: str

    @property
    def label_id(self) -> str:
        """The label that people see for its class."""
        return load_taxonomy().of_class(self.class_id).id

    def open(self) -> Image.Image:
        """The photo, upright and of mode RGB."""
        with Image.open(self.path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")


def find_labelled(folder: Path) -> list[LabelledPhoto]:
    """The photos of a folder that are named n01440764_tench.JPEG, after one of ILSVRC2012's classes, in their order.

    Raises:
        FileNotFoundError: There are fewer than two.
    """
    named = ((path, re.match(r"n\d{8}(?=[_.])", path.name)) for path in sorted(folder.glob("*")))
    photos = [LabelledPhoto(path, name[0]) for path, name in named if name and name[0] in class_ids()]
    if len(photos) < 2:
        raise FileNotFoundError(f"{folder} has no photos named after their class, such as n01440764_tench.JPEG")
    return photos


def random_parts(photos: Sequence[LabelledPhoto], *, seed: int = 0) -> Iterator[list[tuple[Image.Image, Square]]]:
    """Of each photo, squares anywhere on it, which are harder than the photo: see `_PART_OF_AREA`."""
    random = Random(seed)
    for photo in photos:
        image = photo.open()
        sides = [min(image.size) * random.uniform(*_PART_OF_AREA) ** 0.5 for _ in range(PARTS)]
        yield [
            (image, Square(random.uniform(0, image.width - side), random.uniform(0, image.height - side), side))
            for side in sides
        ]


def wide(photo: LabelledPhoto) -> Image.Image:
    """The photo without so much of its top and bottom, or of its sides if it is upright, that it is 16:9."""
    image = photo.open()
    long, short = max(image.size), min(image.size)
    size = (long, min(short, round(long * 9 / 16)))
    return ImageOps.fit(image, size if image.width >= image.height else size[::-1])


def panoramas(
    photos: Sequence[LabelledPhoto], count: int, *, seed: int = 0
) -> Iterator[tuple[list[LabelledPhoto], Image.Image]]:
    """So many photos at a time beside one another, each cut to 4:3."""
    shuffled = list(photos)
    Random(seed).shuffle(shuffled)
    width, height = _PANORAMA_HEIGHT * 4 // 3, _PANORAMA_HEIGHT
    for start in range(0, len(shuffled) - count + 1, count):
        members = shuffled[start : start + count]
        panorama = Image.new("RGB", (width * count, height))
        for place, photo in enumerate(members):
            panorama.paste(ImageOps.fit(photo.open(), (width, height)), (width * place, 0))
        yield members, panorama
