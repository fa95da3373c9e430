"""How near a contestant's pixels are to a full decode and a Lanczos-3 filter in floating point, from the original.

Only scaling is compared: everyone gets the photos without their colour profiles, and nothing is encoded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from skimage.metrics import structural_similarity

from tests.bench.resize.contestants import Contestant
from tests.bench.resize.photos import Photo
from workers.resize.plan import Size

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Quality:
    """Of one picture, or on average of several."""

    psnr_db: float
    ssim: float


def compare(photos: Sequence[Photo], contestants: Sequence[Contestant]) -> dict[tuple[str, int], list[Quality]]:
    """The quality of each photo, by contestant and width. A photo whose own size a rendition has is left out of it."""
    found: dict[tuple[str, int], list[Quality]] = {}
    for photo in photos:
        for name, qualities in compare_one(photo, contestants).items():
            for (width, _), quality in qualities.items():
                found.setdefault((name, width), []).append(quality)
        print(f"  {photo.path.name}", flush=True)
    return found


def compare_one(photo: Photo, contestants: Sequence[Contestant]) -> dict[str, dict[Size, Quality]]:
    """The quality of every size of a photo, by contestant."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        plain = Photo(folder / photo.path.name, photo.size)
        # An unknown marker, of the same length.
        plain.path.write_bytes(photo.path.read_bytes().replace(b"ICC_PROFILE\0", b"NO_PROFILE!\0"))
        references = _references(plain)
        found = {}
        for contestant in contestants:
            contestant.do([plain], ["raw"], folder)
            files = (folder / str(number) for number in range(len(photo.sizes)))
            made = {size: _pixels(file, size) for size, file in zip(photo.sizes, files, strict=True)}
            found[contestant.name] = {size: _quality(made[size], wanted) for size, wanted in references.items()}
    return found


def encoded_ssim(photos: Sequence[Photo], contestant: Contestant, format: str, width: int) -> float:
    """How much of a size the encoder leaves, on average: the SSIM of its files to the pixels it was given."""
    found = []
    for photo in photos:
        number, size = next((n, size) for n, size in enumerate(photo.sizes) if size[0] <= width)
        with TemporaryDirectory() as name:
            file = Path(name, str(number))
            contestant.do([photo], ["raw"], Path(name))
            wanted = _pixels(file, size)
            contestant.do([photo], [format], Path(name))
            with Image.open(file) as image:
                found.append(_quality(np.asarray(image.convert("RGB"), np.float32), wanted).ssim)
    return fmean(found)


def average(qualities: Sequence[Quality]) -> Quality:
    """The means."""
    return Quality(fmean(q.psnr_db for q in qualities), fmean(q.ssim for q in qualities))


def lowest(qualities: Iterable[Quality]) -> Quality:
    """The lowest of either measure."""
    every = list(qualities)
    return Quality(min(q.psnr_db for q in every), min(q.ssim for q in every))


def _references(photo: Photo) -> dict[Size, Pixels]:
    picture = ImageOps.exif_transpose(Image.open(BytesIO(photo.path.read_bytes()))).convert("RGB")
    channels = [channel.convert("F") for channel in picture.split()]
    return {
        size: np.dstack([np.asarray(channel.resize(size, Image.Resampling.LANCZOS)) for channel in channels])
        for size in photo.sizes
        if size != photo.size
    }


def _pixels(file: Path, size: Size) -> Pixels:
    width, height = size
    return np.frombuffer(file.read_bytes(), np.uint8).reshape(height, width, 3).astype(np.float32)


def _quality(made: Pixels, wanted: Pixels) -> Quality:
    """PSNR of all channels; SSIM of the luma, in Gaussian windows as its authors have it (Wang et al., 2004)."""
    luma = np.array([0.299, 0.587, 0.114], np.float32)
    wanted = np.clip(wanted, 0, 255)
    error = float(np.mean(np.square(made - wanted), dtype=np.float64))
    similarity = structural_similarity(
        made @ luma, wanted @ luma, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    return Quality(float(10 * np.log10(255**2 / error)), float(similarity))
