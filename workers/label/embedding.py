"""A network's embedding of a photo as the catalog keeps it: so many numbers, whatever the network.

What a network sees has a thousand numbers or more. A linear layer that makes many classes of them tells which matter:
along its principal directions, photos are alike whose classes are. They keep nearly all of it (on the 200 photos of
`make bench-labels-quality`, neighbours have 0.13 of their labels in common, as by all classes; 0.10 by what the network
sees, 0.07 by a random projection of that, and 0.03 of them by chance). Where there is no such layer, a random
projection has to do.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from photofleet.catalog.vector import DIMENSIONS


def embedding_of(embeddings: NDArray[np.float32]) -> list[float] | None:
    """Return the direction of what a network saw in a photo, as DIMENSIONS numbers.

    Args:
        embeddings: Of the photo's pictures, (n, d): their mean counts.

    Returns:
        A vector of length 1; None where the network saw nothing at all, which has no direction.
    """
    projected = embeddings.mean(axis=0) @ _projection(embeddings.shape[1])
    length = np.linalg.norm(projected)
    if not 0 < length < np.inf:
        return None
    direction: list[float] = (projected / length).tolist()
    return direction


def principal_directions(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a linear layer makes of its inputs, but for what all outputs have in common, along its principal axes.

    Of the layer's outputs, inner products along these axes are the best that so few numbers can keep, whatever the
    inputs (Eckart and Young, 1936). Their signs, which are open, are fixed, so that they are the same on every machine.

    Args:
        weight: The layer's, of shape (outputs, inputs), with DIMENSIONS outputs at least.

    Returns:
        A matrix of shape (inputs, DIMENSIONS), to multiply inputs with.
    """
    differences = weight.astype(np.float64) - weight.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(differences @ differences.T)
    axes = axes[:, : -DIMENSIONS - 1 : -1]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), range(DIMENSIONS)])
    directions: NDArray[np.float32] = (differences.T @ axes).astype(np.float32)
    return directions


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
