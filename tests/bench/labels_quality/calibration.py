"""Whether a network that says 80 % is right 80 times out of 100, and the temperature at which it is.

After Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (2017, arXiv:1706.04599).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
_TEMPERATURES = np.geomspace(0.2, 5, 200)
_RESAMPLED = 1000

Floats = NDArray[np.floating]
Indices = NDArray[np.integer]


@dataclass(frozen=True)
class Answers:
    """How sure each answer was (0 to 1), such as the network's best class or a label, and whether it was right."""

    confidence: Floats
    right: NDArray[np.bool_]


def answers(logits: Floats, classes: Indices, temperature: float | Floats = 1.0) -> Answers:
    """The answers to logits (n, classes), of which `classes` (n) are right, at one temperature or one for each."""
    return Answers(np.exp(_log_softmax(logits, temperature).max(axis=1)), logits.argmax(axis=1) == classes)


def fit_temperature(logits: Floats, classes: Indices) -> float:
    """The temperature at which the right classes are likeliest."""
    rows = np.arange(len(classes))
    losses = [-_log_softmax(logits, temperature)[rows, classes].mean() for temperature in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def held_out_temperatures(logits: Floats, classes: Indices) -> NDArray[np.float64]:
    """For each photo, the temperature that was fitted on others: on every second one, of which it is none.

    Args:
        logits: Of parts of the photos, (photos, parts, classes).
        classes: The right class of each photo.
    """
    halves = np.arange(len(classes)) % 2
    others = [halves != half for half in (0, 1)]
    parts = logits.shape[1]
    fitted = [fit_temperature(np.concatenate(logits[other]), classes[other].repeat(parts)) for other in others]
    return np.array(fitted)[halves]


def bins(given: Answers) -> list[tuple[float, float, int]]:
    """In equal steps of confidence, of those that have answers: mean confidence, share of right answers, number."""
    step = np.minimum((given.confidence * BINS).astype(int), BINS - 1)
    return [
        (float(given.confidence[inside].mean()), float(given.right[inside].mean()), int(inside.sum()))
        for inside in (step == index for index in range(BINS))
        if inside.any()
    ]


def calibration_error(given: Answers) -> float:
    """The expected calibration error: how far confidence is from the share of right answers, on average."""
    return sum(abs(confidence - right) * count for confidence, right, count in bins(given)) / max(len(given.right), 1)


def error_interval(given: Answers) -> tuple[float, float]:
    """What 95 of 100 errors lie within of as many photos, drawn from these with replacement (the bootstrap)."""
    if not len(given.right):
        return 0.0, 1.0
    random = np.random.default_rng(0)
    drawn = (random.integers(0, len(given.right), len(given.right)) for _ in range(_RESAMPLED))
    errors = [calibration_error(Answers(given.confidence[rows], given.right[rows])) for rows in drawn]
    low, high = np.percentile(errors, (2.5, 97.5))
    return float(low), float(high)


def _log_softmax(logits: Floats, temperature: float | Floats) -> Floats:
    scaled = logits / np.reshape(temperature, (-1, 1))
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    result: Floats = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return result
