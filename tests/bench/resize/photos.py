"""The photos that everyone resizes: real ones where there are some, else photographs made larger to be like them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFilter

from photofleet.images.formats import Format
from tests.bench.common import BUILD
from tests.bench.resize.wanted import specs
from tests.pictures import display_p3, exif, stored_as
from tests.samples import sample
from workers.resize.plan import Size, plan

REAL = Path(__file__).parents[4] / "shared" / "photos" / "real"
GENERATED = BUILD / "photos"

#: Of each photograph that is made: a sample, its size upright, its orientation and its profile.
_MADE: Sequence[tuple[str, Size, int, str | None]] = (
    ("rocket.jpg", (2016, 1512), 1, None),
    ("coffee.png", (2560, 1920), 1, "sRGB"),
    ("astronaut.png", (2448, 3264), 6, "P3"),
    ("chelsea.png", (4032, 3024), 1, "P3"),
    ("motorcycle_left.png", (4032, 3024), 3, None),
    ("hubble_deep_field.jpg", (4608, 3072), 1, None),
    ("motorcycle_right.png", (5760, 3840), 1, "sRGB"),
    ("coffee.png", (4000, 6000), 6, None),
)

_QUALITY = 92
_DETAIL = 0.7
_GRAIN = 1.5


@dataclass(frozen=True)
class Photo:
    """A file, and the size in which it is displayed."""

    path: Path
    size: Size

    @property
    def megapixels(self) -> float:
        """How large it is."""
        return self.size[0] * self.size[1] / 1e6

    @property
    def sizes(self) -> list[Size]:
        """Those of its renditions, largest first."""
        return [step.size for step in plan(self.size, specs("jpeg"))]


def photo_at(path: Path) -> Photo:
    """The photo in a file."""
    with Image.open(path) as image:
        width, height = image.size
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) > 4
    return Photo(path, (height, width) if turned else (width, height))


def find_photos(folder: str | None) -> list[Photo]:
    """The JPEGs in a folder, else the real photos where there, else made ones."""
    if folder or REAL.is_dir():
        chosen = Path(folder).expanduser() if folder else REAL
        paths = sorted(path for path in chosen.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
        if not paths:
            raise SystemExit(f"There is no JPEG in {chosen}; PHOTOS names a folder that has some.")
        return [photo_at(path) for path in paths]
    return [made_photo(number) for number in range(len(_MADE))]


def made_photo(number: int) -> Photo:
    """One of the photographs that are made; made once, as it takes seconds."""
    name, size, orientation, profile = _MADE[number]
    path = GENERATED / f"{number}-{Path(name).stem}-{size[0]}x{size[1]}.jpg"
    if not path.exists():
        _write(path, stored_as(_enlarged(sample(name), size), orientation), orientation, profile)
    return photo_at(path)


def large_photos(photos: Sequence[Photo]) -> tuple[Photo, Photo]:
    """A photo of 24 megapixels, one of these if possible, as landscape and as portrait, stored alike.

    At half its size, which a decoder gives for less, the one is wider than any rendition, and the other is not.
    """
    source = next((photo for photo in photos if 23.5 < photo.megapixels < 25), None) or made_photo(-1)
    found = []
    for orientation in (1, 6):
        path = GENERATED / f"24mp-{orientation}-{source.path.name}"
        if not path.exists():
            with Image.open(source.path) as image:
                _write(path, image, orientation, None, quality="keep")
        found.append(photo_at(path))
    portrait, landscape = sorted(found, key=lambda photo: photo.size[0])
    return landscape, portrait


def warm_up_photo() -> Photo:
    """A small photo with all that costs something: turned, with a profile and metadata."""
    path = GENERATED / "warm-up.jpg"
    if not path.exists():
        colours = Image.open(sample("chelsea.png")).convert("RGB").resize((900, 1200))
        _write(path, stored_as(colours, 6), 6, "P3")
    return photo_at(path)


def zone_plates() -> Iterator[Photo]:
    """Rings that get finer from the middle to the edge, up to the finest that pixels can show, as PNG and as JPEG."""
    paths = [GENERATED / f"zone.{extension}" for extension in ("png", "jpg")]
    if not all(path.exists() for path in paths):
        side = 4000
        squares = np.square(np.arange(side) - (side - 1) / 2)
        radius = squares + squares[:, None]
        rings = np.where(radius <= (side / 2) ** 2, np.cos(np.pi * radius / side), 0)
        image = Image.fromarray(np.rint(127.5 + 127.5 * rings).astype(np.uint8)).convert("RGB")
        GENERATED.mkdir(parents=True, exist_ok=True)
        for path in paths:
            image.save(path, quality=100, subsampling="4:4:4")
    return map(photo_at, paths)


def _enlarged(path: Path, size: Size) -> Image.Image:
    """A photograph in a larger size, with as much detail at the finest scales as a camera gives.

    Enlarging leaves out just that, and decoders and encoders would have an easy life. So the finest of the picture as
    it came is laid over it, again and again, and a sensor's grain.
    """
    photograph = Image.open(path).convert("RGB")
    side = min(photograph.width / size[0], photograph.height / size[1])
    box = (0, 0, side * size[0], side * size[1])
    pixels = np.asarray(photograph.resize(size, Image.Resampling.BICUBIC, box), np.float32)
    grey = photograph.convert("L")
    tile = np.asarray(grey, np.float32) - np.asarray(grey.filter(ImageFilter.GaussianBlur(3)), np.float32)
    tile = np.block([[tile, tile[:, ::-1]], [tile[::-1], tile[::-1, ::-1]]])
    repeats = (-(-size[1] // tile.shape[0]), -(-size[0] // tile.shape[1]))
    detail = np.tile(tile, repeats)[: size[1], : size[0], None]
    grain = np.random.default_rng(1).normal(0, _GRAIN, (size[1], size[0], 1)).astype(np.float32)
    return Image.fromarray(np.clip(pixels + _DETAIL * detail + grain, 0, 255).astype(np.uint8))


def _write(
    path: Path, stored: Image.Image, orientation: int, profile: str | None, quality: int | str = _QUALITY
) -> None:
    profiles = {"P3": display_p3, "sRGB": lambda: ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}
    output = BytesIO()
    stored.save(
        output,
        Format.JPEG.pillow_name,
        quality=quality,
        exif=exif(orientation),
        icc_profile=profiles[profile]() if profile else None,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(output.getvalue())
