"""A log line when trouble begins, changes or ends, and not each time that it is met."""

import logging

logger = logging.getLogger(__name__)


class Trouble:
    """What is wrong with one thing, such as "the metadata service"."""

    def __init__(self, thing: str) -> None:
        self._thing = thing
        self._last: str | None = None

    def note(self, trouble: str | None) -> None:
        """Log what is wrong, or with None that nothing is, where that differs from what was said last."""
        if trouble == self._last:
            return
        if trouble is None:
            logger.info("%s is well again", self._thing)
        else:
            logger.warning("%s: %s", self._thing, trouble)
        self._last = trouble
