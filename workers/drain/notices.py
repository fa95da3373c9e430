"""The three places in an instance's metadata that say that it is going to end.

- https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
- https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html
- https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html
"""

import json
import logging
import re
from collections.abc import Callable, Mapping

from photofleet.metadata import Metadata, MetadataError
from workers.drain.trouble import Trouble

logger = logging.getLogger(__name__)

SPOT_INTERRUPTION = "spot/instance-action"
REBALANCE_RECOMMENDATION = "events/recommendations/rebalance"
TARGET_STATE = "autoscaling/target-lifecycle-state"


class Notices:
    """The notices that stand, as far as the metadata service has said."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._standing: dict[str, str] = {}
        self._trouble = Trouble("the metadata service")

    def look(self) -> Mapping[str, str]:
        """Ask again, and return each standing notice in words by its place; log what has changed.

        Where there is no sensible answer, what was known before still holds.
        """
        troubles = []
        for place, read in _READERS.items():
            try:
                text = self._metadata.get(place)
                self._note(place, None if text is None else read(text))
            except MetadataError as error:
                troubles.append(str(error))
            except (ValueError, TypeError, LookupError, RecursionError):
                troubles.append(f"{place} makes no sense: {text!r}")
        self._trouble.note("; ".join(dict.fromkeys(troubles)) or None)
        return self._standing

    def _note(self, place: str, notice: str | None) -> None:
        if notice == self._standing.get(place):
            return
        if notice is None:
            logger.warning("taken back: %s", self._standing.pop(place))
        else:
            logger.warning("this instance is going to end: %s", notice)
            self._standing[place] = notice


def _read_spot(text: str) -> str:
    return f"Spot interruption, to {_string(text, 'action')} at {_string(text, 'time')}"


def _read_rebalance(text: str) -> str:
    return f"rebalance recommendation of {_string(text, 'noticeTime')}"


def _read_target_state(text: str) -> str | None:
    if not re.fullmatch(r"[A-Za-z:]+", text):
        raise ValueError(text)
    # Other states come back: of an instance that is set aside, or put into the warm pool, its supervisor takes care.
    return f"autoscaling wants it {text}" if text in ("Terminated", "Warmed:Terminated") else None


def _string(text: str, name: str) -> str:
    value = json.loads(text)[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


_READERS: Mapping[str, Callable[[str], str | None]] = {
    SPOT_INTERRUPTION: _read_spot,
    REBALANCE_RECOMMENDATION: _read_rebalance,
    TARGET_STATE: _read_target_state,
}
