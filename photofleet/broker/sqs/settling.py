"""How a message leaves this worker: deleted, given back or buried, by a thread and in batches.

By a thread, so that an AWS that is slow to answer never holds up the worker. Nothing is lost by the moment for which
deletions gather: a message that could not be settled reappears, and whoever uses SQS must bear a message twice.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from photofleet.broker.sqs.clients import BATCH
from photofleet.broker.sqs.messages import Received
from photofleet.clients import AWS_ERRORS

logger = logging.getLogger(__name__)

GATHER_S = 0.2
"""How long the first of a batch waits for others: at 50 messages a second, one request in place of ten."""

LONGEST_BACKOFF_S = 900
MOST_DOUBLINGS = 20

PATIENCE_S = 30
"""How long a worker that stops waits for AWS to take the last settlements; after it, the messages reappear."""


@dataclass(frozen=True)
class _Order:
    message: Received
    how: Callable[[str, Sequence["_Order"]], None]
    delay_s: int = 0


class Settler:
    """Settles messages; each call returns at once."""

    def __init__(self, sqs: Any, dead_letter_urls: Mapping[str, str], *, first_backoff: float) -> None:
        self._sqs = sqs
        self._dead_letter_urls = dead_letter_urls
        self._first_backoff = first_backoff
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._settle_all, name="settle", daemon=True)

    def start(self) -> None:
        """Begin to settle."""
        if not self._thread.is_alive():
            self._thread.start()

    def stop(self) -> None:
        """Settle what has been ordered, and end the thread."""
        if self._thread.is_alive():
            self._orders.put(None)
            self._thread.join(PATIENCE_S)

    def delete(self, message: Received) -> None:
        """Delete a message whose work is done."""
        self._orders.put(_Order(message, self._delete))

    def release(self, message: Received) -> None:
        """Make a message that was not worked on visible to other workers at once."""
        self._orders.put(_Order(message, self._show))

    def back_off(self, message: Received) -> None:
        """Make a message visible again after a time that doubles with each receive."""
        doublings = min(message.receive_count - 1, MOST_DOUBLINGS)
        delay = min(self._first_backoff * 2**doublings, LONGEST_BACKOFF_S)
        self._orders.put(_Order(message, self._show, round(delay)))

    def bury(self, message: Received) -> None:
        """Move a message to the dead-letter queue."""
        self._orders.put(_Order(message, self._bury))

    def _settle_all(self) -> None:
        stopped = False
        while not stopped:
            batch, stopped = self._gather()
            groups = defaultdict(list)
            for order in batch:
                groups[order.how, order.message.queue_url].append(order)
            for (settle, queue_url), orders in groups.items():
                try:
                    settle(queue_url, orders)
                except Exception as error:  # whatever it is: a thread that ends would settle nothing any more
                    expected = isinstance(error, AWS_ERRORS)
                    exc_info = None if expected else error
                    logger.warning("%d messages will come again: %s", len(orders), error, exc_info=exc_info)

    def _gather(self) -> tuple[list[_Order], bool]:
        """The next orders, as many as one request may carry; and whether they are the last."""
        batch: list[_Order] = []
        deadline = 0.0
        while len(batch) < BATCH:
            try:
                order = self._orders.get(timeout=max(0, deadline - monotonic()) if batch else None)
            except Empty:
                break
            if order is None:
                return batch, True
            if not batch:
                deadline = monotonic() + GATHER_S
            batch.append(order)
        return batch, False

    def _delete(self, queue_url: str, orders: Sequence[_Order]) -> None:
        entries = [{"Id": str(i), "ReceiptHandle": order.message.handle} for i, order in enumerate(orders)]
        _complain(self._sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries))

    def _show(self, queue_url: str, orders: Sequence[_Order]) -> None:
        entries = [
            {"Id": str(i), "ReceiptHandle": order.message.handle, "VisibilityTimeout": order.delay_s}
            for i, order in enumerate(orders)
        ]
        _complain(self._sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries))

    def _bury(self, queue_url: str, orders: Sequence[_Order]) -> None:
        for order in orders:  # one by one: together they might be too long for one request, and this is rare
            dead_letter_url = self._dead_letter_urls[order.message.queue]
            self._sqs.send_message(QueueUrl=dead_letter_url, MessageBody=order.message.body)
            self._delete(queue_url, [order])


def _complain(answer: Mapping[str, Any]) -> None:
    for failed in answer.get("Failed", ()):
        logger.warning("a message will come again: %s", failed.get("Message", failed["Code"]))
