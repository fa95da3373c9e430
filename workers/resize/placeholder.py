"""What a page shows until the picture itself is there."""

import numpy as np
from PIL import Image

from workers.resize.encoding import save
from workers.resize.pixels import resize
from workers.resize.plan import fitted
from workers.resize.results import Placeholder

SIDE = 32
"""Pixels of the longer side: a page blurs them anyway, and they take 100 to 300 bytes."""

_QUALITY = 30
_COLOURS = 5
_HALF = 127


def make_placeholder(image: Image.Image) -> Placeholder:
    """Make the placeholder of a picture in sRGB from any size of it."""
    small = resize(image, fitted(image.size, SIDE, SIDE))
    is_opaque = small.mode == "RGB" or small.getchannel("A").getextrema() == (255, 255)
    preview = save(small.convert("RGB"), "WEBP", quality=_QUALITY, method=4) if is_opaque else None
    return Placeholder(preview, _dominant_colour(small))


def _dominant_colour(image: Image.Image) -> str:
    """Return the mean of the largest of a few clusters of colours; what is transparent counts as nothing."""
    seen = np.asarray(image.convert("RGBA")).reshape(-1, 4)
    seen = seen[seen[:, 3] > _HALF, :3]
    if not len(seen):
        return "#ffffff"
    few = Image.fromarray(seen[None]).quantize(_COLOURS, Image.Quantize.MEDIANCUT)
    counts = np.bincount(np.asarray(few).ravel())
    members = seen[np.asarray(few).ravel() == counts.argmax()]
    return "#" + bytes(members.mean(axis=0).round().astype(np.uint8)).hex()
