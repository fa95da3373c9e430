"""How alike two engines are that run one network, and how fast."""

import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
from numpy.typing import NDArray

from workers.label.engine import Batch, Engine

AGREEMENT, DIFFERENCE = 0.95, 0.07
"""From and up to which an engine counts as good as torch in 32 bits. EfficientNet-Lite2 in 8 bits has 1 and 0.03 to
0.05, and as many right answers; calibrated on noise, it is at 0.09 and gives wrong ones."""

SURE = 0.5
"""The probability from which a likeliest class counts: below, another may be as likely, and nobody is shown either."""

_ROUNDS = 15
_BATCH = 6


def in_batches(engine: Engine, pictures: Batch) -> NDArray[np.float32]:
    """The logits of pictures, of any number."""
    return np.concatenate(
        [engine(pictures[start : start + _BATCH]).logits for start in range(0, len(pictures), _BATCH)]
    )


def good_enough(logits: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    """Whether an engine's logits may stand for those of torch in 32 bits."""
    if not (np.isfinite(logits).all() and np.isfinite(expected).all()):
        return False
    agreement, difference = compare(logits, expected)
    return agreement >= AGREEMENT and difference <= DIFFERENCE


def compare(logits: NDArray[np.float32], expected: NDArray[np.float32]) -> tuple[float, float]:
    """How well the logits of two engines agree on n pictures, of shape (n, classes).

    Returns:
        The share of pictures with the same likeliest class, of those where it is SURE at least; and the greatest
        difference of a class's probability, on average over the pictures.
    """
    probabilities, others = softmax(logits), softmax(expected)
    sure = others.max(axis=1) >= SURE
    same = logits.argmax(axis=1) == expected.argmax(axis=1)
    agreement = float(same[sure].mean()) if sure.any() else 1.0
    return agreement, float(np.abs(probabilities - others).max(axis=1).mean())


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probabilities of logits of shape (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def time_engines(
    engines: Mapping[str, Engine], batch: Batch, clock: Callable[[], float] = time.process_time
) -> dict[str, float]:
    """The milliseconds per picture that each takes, of CPU unless the clock is another.

    All take turns, so that whatever else runs hits them alike.
    """
    taken: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(_ROUNDS):
        for name, engine in engines.items():
            started = clock()
            engine(batch)
            taken[name].append((clock() - started) * 1000 / len(batch))
    return {name: median(values[1:]) for name, values in taken.items()}
