"""From a network's scores to labels of the taxonomy."""

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from photofleet.catalog.results import FoundLabel


@cache
def class_ids() -> tuple[str, ...]:
    """The taxonomy's ids of the 1,000 classes of ILSVRC2012, in the order of a network's outputs."""
    return tuple(files(__package__).joinpath("imagenet_classes.txt").read_text(encoding="ascii").split())


def top_labels(scores: NDArray[np.float32], threshold: float, limit: int) -> list[FoundLabel]:
    """The labels of one photo's scores, of shape (1000,), that reach the threshold: the `limit` surest, in order."""
    ids = class_ids()
    if scores.shape != (len(ids),):
        raise ValueError(f"expected {len(ids)} scores, not an array of shape {scores.shape}")
    best = np.argsort(-scores, kind="stable")[:limit]
    return [FoundLabel(ids[index], float(scores[index])) for index in best if scores[index] >= threshold]
