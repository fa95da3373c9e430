"""How often a model's label is right, as far as people's corrections can say."""

from dataclasses import dataclass
from math import sqrt

_Z = 1.96
"""Standard deviations to either side that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class Precision:
    """The share of right labels among those that people judged, and the interval that holds the true one at 95 %."""

    share: float
    low: float
    high: float


def precision(right: int, wrong: int) -> Precision | None:
    """The precision after so many right and wrong labels; None if there are none.

    The interval is Wilson's (Probable inference, the law of succession, and statistical inference, 1927), which also
    holds for few labels, and where all or none of them are right.
    """
    judged = right + wrong
    if not judged:
        return None
    share = right / judged
    centre = (share + _Z**2 / (2 * judged)) / (1 + _Z**2 / judged)
    half = _Z / (1 + _Z**2 / judged) * sqrt(share * (1 - share) / judged + _Z**2 / (4 * judged**2))
    return Precision(share, max(0.0, centre - half), min(1.0, centre + half))
