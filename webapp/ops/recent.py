"""One look at the service for everybody who asks at about the same time: asking the workers takes up to a second."""

import threading
import time
from dataclasses import dataclass

from photofleet.operations.outages import Outage
from photofleet.operations.status import Status, get_status

MAX_AGE_S = 2.0


@dataclass(frozen=True)
class _Look:
    began: float
    outcome: Status | Outage


class RecentStatus:
    """The last status that this process has seen, shared by its threads; one at a time looks for a newer one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: _Look | None = None

    def get(self, *, max_age: float = MAX_AGE_S) -> Status | Outage:
        """The status as it was at most `max_age` seconds before this call; with 0, as it has become since.

        However many ask together, they share one look, and also what keeps it from being seen: each would otherwise
        wait anew for a connection that times out.
        """
        earliest = time.monotonic() - max_age
        with self._lock:
            if self._last is None or self._last.began < earliest:
                self._last = _Look(time.monotonic(), _outcome())
            return self._last.outcome


def _outcome() -> Status | Outage:
    try:
        return get_status()
    except Outage as outage:
        return outage
