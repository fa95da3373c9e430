"""A thread that long-polls one queue. AWS's errors, time-outs and retries are its own affair, never the worker's."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from photofleet.broker.holds import AWS_ERRORS, Hold

logger = logging.getLogger(__name__)

PAUSE_AFTER_ERROR_S = 5


class Receiver(threading.Thread):
    """Receives while there is room, and hands over each message; after `stop` it gives back what still comes.

    Args:
        sqs: The client.
        queue_url: The queue.
        wait_s: How long one request waits for a message, in seconds.
        room: Says how many messages may be received now, after waiting at most the given seconds for some to be.
        deliver: Takes each message.
        release: Makes a message visible again.
    """

    def __init__(
        self,
        sqs: Any,
        queue_url: str,
        *,
        wait_s: int,
        room: Callable[[float], int],
        deliver: Callable[[Hold], None],
        release: Callable[[Hold], None],
    ) -> None:
        super().__init__(name=f"receive {queue_url.rsplit('/', 1)[-1]}", daemon=True)
        self._sqs = sqs
        self._queue_url = queue_url
        self._wait_s = wait_s
        self._room = room
        self._deliver = deliver
        self._release = release
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ask the thread to end, which it does when the request under way has been answered."""
        self._stopped.set()

    def run(self) -> None:
        """Receive until stopped."""
        while not self._stopped.is_set():
            if not (room := self._room(1.0)):
                continue
            try:
                holds = self._receive(room)
            except Exception as error:  # whatever it is: a worker that has stopped listening would look alive
                expected = isinstance(error, AWS_ERRORS)
                logger.error("%s: %s", self.name, error, exc_info=None if expected else error)
                self._stopped.wait(PAUSE_AFTER_ERROR_S)
                continue
            for hold in holds:
                (self._release if self._stopped.is_set() else self._deliver)(hold)

    def _receive(self, room: int) -> list[Hold]:
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=room,
            WaitTimeSeconds=self._wait_s,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return [
            Hold(
                self._queue_url,
                message["ReceiptHandle"],
                message["Body"],
                int(message["Attributes"]["ApproximateReceiveCount"]),
            )
            for message in answer.get("Messages", ())
        ]
