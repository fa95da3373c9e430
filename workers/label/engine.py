"""What runs a network: pixels in, scores out."""

import os
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Batch = NDArray[np.uint8]
"""Pictures of shape (n, size, size, 3): RGB, from 0 to 255."""


class Scores(NamedTuple):
    """What a network says of n pictures: `logits` of shape (n, classes), `embeddings` of shape (n, d)."""

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]


class OutOfMemory(Exception):  # noqa: N818 - as `BadImage`
    """The GPU has no room for a batch of this size; a smaller one may fit."""


class Engine(Protocol):
    """Runs one network. Not for several threads at once."""

    def __call__(self, batch: Batch) -> Scores:
        """Score one or more pictures. Raises OutOfMemory."""


def threads() -> int:
    """How many threads an engine uses on the CPU.

    One: a fleet runs a process a core, and two processes of one thread beat one of two.
    """
    return int(os.environ.get("OMP_NUM_THREADS") or 1)
