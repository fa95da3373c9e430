"""What this process has received and not settled yet, kept invisible to other workers for as long as it works."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger(__name__)

AWS_ERRORS = (BotoCoreError, ClientError)
"""What AWS, or the way to it, can answer instead."""

SQS_BATCH = 10
"""The most messages that SQS takes in one request."""

HOLD_LIMIT_S = 3600
"""After this long a message is let go: its worker hangs. SQS itself ends a hold after 12 hours."""


@dataclass(frozen=True)
class Hold:
    """A received message: where it came from, its receipt handle, its body and how often it was received."""

    queue_url: str
    handle: str
    body: str
    receive_count: int
    since: float = field(default_factory=monotonic)


class Holds:
    """The messages held, and the thread that keeps them invisible.

    A thread, as the event loop stands still while a worker shuts down and finishes what it has.
    """

    def __init__(self, sqs: Any, visibility_timeout: int) -> None:
        self._sqs = sqs
        self._timeout = visibility_timeout
        self._holds: dict[str, Hold] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._heartbeat = threading.Thread(target=self._beat, name="visibility", daemon=True)

    def start(self) -> None:
        """Begin to keep what is held invisible."""
        if not self._heartbeat.is_alive():
            self._heartbeat.start()

    def stop(self) -> None:
        """Let everything held go at once, and end the thread."""
        self._stopped.set()
        if self._heartbeat.is_alive():
            self._heartbeat.join()
        with self._lock:
            holds, self._holds = list(self._holds.values()), {}
        for hold in holds:
            self.release(hold)

    def add(self, hold: Hold) -> None:
        """Hold a message."""
        with self._lock:
            self._holds[hold.handle] = hold

    def pop(self, handle: str) -> Hold | None:
        """Hold a message no more; None if it was not held."""
        with self._lock:
            return self._holds.pop(handle, None)

    def release(self, hold: Hold, delay_s: int = 0) -> None:
        """Make a message visible to other workers, at once or after a while."""
        self.pop(hold.handle)
        try:
            self._sqs.change_message_visibility(
                QueueUrl=hold.queue_url, ReceiptHandle=hold.handle, VisibilityTimeout=delay_s
            )
        except AWS_ERRORS as error:
            logger.warning("a message stays hidden until its visibility timeout: %s", error)

    def _beat(self) -> None:
        while not self._stopped.wait(self._timeout / 3):
            with self._lock:
                held = [hold for hold in self._holds.values() if monotonic() - hold.since < HOLD_LIMIT_S]
            for queue_url in {hold.queue_url for hold in held}:
                handles = [hold.handle for hold in held if hold.queue_url == queue_url]
                for first in range(0, len(handles), SQS_BATCH):
                    try:
                        self._extend(queue_url, handles[first : first + SQS_BATCH])
                    except Exception as error:  # whatever it is: without its heartbeat, long tasks would run twice
                        expected = isinstance(error, AWS_ERRORS)
                        exc_info = None if expected else error
                        logger.warning("messages could not be kept invisible: %s", error, exc_info=exc_info)

    def _extend(self, queue_url: str, handles: Sequence[str]) -> None:
        handles = [handle for handle in handles if handle in self._holds]  # what was given back stays visible
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": self._timeout}
            for number, handle in enumerate(handles)
        ]
        if not entries:
            return
        answer = self._sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
        for failed in answer.get("Failed", ()):
            if handles[int(failed["Id"])] in self._holds:  # else it was settled meanwhile
                logger.warning("lost hold of a message: %s", failed["Message"])
