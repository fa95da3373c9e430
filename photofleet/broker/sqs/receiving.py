"""Receiving: a thread that long-polls one queue, and the inbox for what the worker cannot take yet."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from photofleet.broker.sqs.clients import BATCH
from photofleet.broker.sqs.messages import Received
from photofleet.clients import AWS_ERRORS

logger = logging.getLogger(__name__)

PAUSE_AFTER_ERROR_S = 5

READ_AHEAD_S = 0.5
"""How much work, by the pace of late, is fetched before there is a free process for it.

Enough to make of ten requests one where tasks are short. Where they are long it is none: another worker might be free.
"""

PACE_OVER = 20
"""The pace is that of so many messages."""


class Receiver(threading.Thread):
    """Receives while there is room. AWS's errors, time-outs and retries are its own affair, never the worker's.

    Args:
        queue: What it receives from, as Celery calls it.
        room: Says how many messages may be received now, after waiting a moment for some to be.
        receive: Receives at most so many messages.
        deliver: Takes what was received.
        release: Takes it after `stop`: what still comes then.
    """

    def __init__(
        self,
        queue: str,
        *,
        room: Callable[[], int],
        receive: Callable[[int], Sequence[Received]],
        deliver: Callable[[Received], None],
        release: Callable[[Received], None],
    ) -> None:
        super().__init__(name=f"receive {queue}", daemon=True)
        self.queue = queue
        self._room = room
        self._receive = receive
        self._deliver = deliver
        self._release = release
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ask the thread to end, which it does when the request under way has been answered."""
        self._stopped.set()

    def run(self) -> None:
        """Receive until stopped."""
        while not self._stopped.is_set():
            if not (room := self._room()):
                continue
            try:
                messages = self._receive(room)
            except Exception as error:  # whatever it is: a worker that has stopped listening would look alive
                expected = isinstance(error, AWS_ERRORS)
                logger.error("%s: %s", self.name, error, exc_info=None if expected else error)
                self._stopped.wait(PAUSE_AFTER_ERROR_S)
                continue
            for message in messages:
                (self._release if self._stopped.is_set() else self._deliver)(message)


class Inbox:
    """What was received and not handed to the worker yet; any thread may use it.

    Args:
        free: Says how many more messages the worker would take now.
    """

    def __init__(self, free: Callable[[], int]) -> None:
        self._free = free
        self._messages: deque[Received] = deque()
        self._settled: deque[float] = deque(maxlen=PACE_OVER)
        self._changed = threading.Condition()

    def put(self, message: Received) -> None:
        """Add a message."""
        with self._changed:
            self._messages.append(message)

    def take(self) -> Received | None:
        """The next message, if there is one and the worker would take it."""
        with self._changed:
            return self._messages.popleft() if self._messages and self._free() > 0 else None

    def empty(self, queue: str) -> list[Received]:
        """Take out all that came from a queue."""
        with self._changed:
            found = [message for message in self._messages if message.queue == queue]
            self._messages = deque(message for message in self._messages if message.queue != queue)
            return found

    def note_settled(self) -> None:
        """Note that the worker is done with a message."""
        with self._changed:
            self._settled.append(monotonic())
            self._changed.notify_all()

    def wake(self) -> None:
        """Have those who wait for room look again."""
        with self._changed:
            self._changed.notify_all()

    def room(self, patience_s: float = 1.0) -> int:
        """How many messages may be received now, waiting a moment for the first to be allowed."""
        with self._changed:
            ahead = self._read_ahead()
            room = min(self._free() + ahead - len(self._messages), BATCH)
            # While there is something to do, one request for several is worth a little patience.
            if room > 0 and (not self._messages or room >= ahead / 2):
                return room
            self._changed.wait(patience_s)
            return 0

    def _read_ahead(self) -> int:
        if len(self._settled) < 2:  # a pace is a time between two
            return 0
        pace = (len(self._settled) - 1) / (monotonic() - self._settled[0])
        return min(int(pace * READ_AHEAD_S), BATCH)
