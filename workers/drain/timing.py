"""When the steps of a drain are due."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """All in seconds."""

    look: float = 2.0
    """Between two looks at the metadata. AWS advises five for Spot notices; the first step is worth more of them."""

    hand_back: float = 85.0
    """From the notice to SIGQUIT. Spot gives two minutes; a worker that hands back may need one whole receive wait, at
    most 20 seconds, to notice, and a few to end its processes."""

    kill: float = 115.0
    """From the notice to SIGKILL, just before the two minutes are over."""

    heartbeat: float = 20.0
    """Between two heartbeats of a lifecycle action, whose time-out is at least 30."""

    retry: float = 1.0
    """Before the second attempt at completing a lifecycle action; doubled for each one after it."""

    longest_retry: float = 30.0
    """Up to which that grows."""
