"""A network's embedding of a photo as the catalog keeps it: so many numbers, whatever the network."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from photofleet.catalog.vector import DIMENSIONS


def embedding_of(embeddings: NDArray[np.float32]) -> list[float] | None:
    """Return the direction of what a network saw in a photo, as DIMENSIONS numbers.

    Args:
        embeddings: Of the photo's pictures, (n, d): their mean counts.

    Returns:
        A vector of length 1; None where that is nothing at all, or no numbers, which have no direction.
    """
    projected = embeddings.mean(axis=0) @ _projection(embeddings.shape[1])
    length = np.linalg.norm(projected)
    if not 0 < length < np.inf:
        return None
    direction: list[float] = (projected / length).tolist()
    return direction


@cache
def _projection(dimensions: int) -> NDArray[np.float32]:
    """A fixed matrix (dimensions, DIMENSIONS) that keeps angles between embeddings, nearly.

    Its columns are orthogonal and of a random direction (Johnson and Lindenstrauss, 1984; an orthogonal basis errs less
    than an independent one: Choromanski et al., 2017, arXiv:1703.00864). It is the same on every machine, as vectors
    that were made with different ones have nothing to say to each other: NumPy promises that of `RandomState`, and the
    signs, which QR leaves open, are fixed. Fewer dimensions than DIMENSIONS are kept as they are, and zeros follow.
    """
    if dimensions <= DIMENSIONS:
        return np.eye(dimensions, DIMENSIONS, dtype=np.float32)
    orthogonal, triangle = np.linalg.qr(np.random.RandomState(dimensions).standard_normal((dimensions, DIMENSIONS)))
    return (orthogonal * np.sign(np.diag(triangle))).astype(np.float32)
