"""Whether photos that are said to be alike show the same: how many of their labels the nearest ones have in common."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from photofleet.catalog.taxonomy import load_taxonomy
from photofleet.images.formats import Format
from tests.bench.labels_quality.photos import LabelledPhoto
from workers.label.embedding import embedding_of
from workers.label.models import Model
from workers.label.squares import read_squares

NEAREST = 6
_MAX_PIXELS = 100_000_000


def labels_in_common(photos: Sequence[LabelledPhoto], model: Model) -> tuple[float, float, float]:
    """The share of labels, with all that they are kinds of, that photos have in common.

    Returns:
        That of photos with the NEAREST by their embeddings; with any others; and with those that have most.
    """
    common = _in_common(photos)
    alike = _embeddings(photos, model)
    nearest = _without_itself(alike @ alike.T).argsort(axis=1)[:, -NEAREST:]
    best = np.sort(_without_itself(common), axis=1)[:, -NEAREST:]
    others = common[~np.eye(len(photos), dtype=bool)]
    return float(np.take_along_axis(common, nearest, axis=1).mean()), float(others.mean()), float(best.mean())


def _in_common(photos: Sequence[LabelledPhoto]) -> NDArray[np.float64]:
    taxonomy = load_taxonomy()
    shown = [{photo.label_id, *taxonomy.ancestors(photo.label_id)} for photo in photos]
    return np.array([[len(one & other) / len(one | other) for other in shown] for one in shown])


def _embeddings(photos: Sequence[LabelledPhoto], model: Model) -> NDArray[np.float64]:
    squares = (
        read_squares(photo.path.read_bytes(), Format.JPEG, model.preprocessing, max_pixels=_MAX_PIXELS)
        for photo in photos
    )
    return np.array([embedding_of(model.classify(pictures).embeddings) for pictures in squares])


def _without_itself(likeness: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.eye(len(likeness), dtype=bool), -np.inf, likeness)
