"""What this process has received and not settled yet, kept invisible to other workers for as long as it works."""

import logging
import threading
from collections.abc import Sequence
from time import monotonic
from typing import Any

from photofleet.broker.sqs.clients import BATCH
from photofleet.broker.sqs.messages import Received
from photofleet.clients import AWS_ERRORS

logger = logging.getLogger(__name__)

HOLD_LIMIT_S = 3600
"""After this long a message is let go: its worker hangs. SQS itself ends a hold after 12 hours."""


class Holds:
    """The messages held, and the heartbeat that keeps them invisible.

    A thread, as the event loop stands still while a worker shuts down and finishes what it has.
    """

    def __init__(self, sqs: Any, visibility_timeout: int) -> None:
        self._sqs = sqs
        self._timeout = visibility_timeout
        self._held: dict[str, Received] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._heartbeat = threading.Thread(target=self._beat, name="visibility", daemon=True)

    def start(self) -> None:
        """Begin to keep what is held invisible."""
        if not self._heartbeat.is_alive():
            self._heartbeat.start()

    def stop(self) -> None:
        """End the heartbeat; what is still held reappears when its time is up."""
        self._stopped.set()
        if self._heartbeat.is_alive():
            self._heartbeat.join(self._timeout)

    def add(self, message: Received) -> None:
        """Hold a message."""
        with self._lock:
            self._held[message.handle] = message

    def pop(self, handle: str) -> Received | None:
        """Hold a message no more; None if it was not held."""
        with self._lock:
            return self._held.pop(handle, None)

    def _beat(self) -> None:
        while not self._stopped.wait(self._timeout / 3):
            with self._lock:
                held = [message for message in self._held.values() if monotonic() - message.since < HOLD_LIMIT_S]
            for queue_url in {message.queue_url for message in held}:
                handles = [message.handle for message in held if message.queue_url == queue_url]
                for first in range(0, len(handles), BATCH):
                    try:
                        self._extend(queue_url, handles[first : first + BATCH])
                    except Exception as error:  # whatever it is: without its heartbeat, long tasks would run twice
                        expected = isinstance(error, AWS_ERRORS)
                        exc_info = None if expected else error
                        logger.warning("messages could not be kept invisible: %s", error, exc_info=exc_info)

    def _extend(self, queue_url: str, handles: Sequence[str]) -> None:
        handles = [handle for handle in handles if handle in self._held]  # what was given back stays visible
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": self._timeout}
            for number, handle in enumerate(handles)
        ]
        if not entries:
            return
        answer = self._sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
        for failed in answer.get("Failed", ()):
            if handles[int(failed["Id"])] in self._held:  # else it was settled meanwhile
                logger.warning("lost hold of a message: %s", failed.get("Message", failed["Code"]))
