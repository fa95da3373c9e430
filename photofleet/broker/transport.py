"""A Celery transport over SNS and SQS.

Publishing to a fanout exchange publishes to an SNS topic; a queue is an SQS queue, long-polled by a thread of its
own. Queues, topics and subscriptions belong to the infrastructure: nothing is created here. Transport options:

`queue_urls`, `dead_letter_urls`
    The URL of each queue, and of its dead-letter queue, by the queue's name.
`topic_arns`
    The topic behind each fanout exchange, by the exchange's name.
`visibility_timeout`, `wait_time_seconds`
    Seconds; the first as the queues have it.
"""

import logging
import threading
from collections import deque
from functools import cache
from typing import Any

from boto3.session import Session as AwsSession
from botocore.config import Config
from kombu.asynchronous import get_event_loop
from kombu.exceptions import ChannelError
from kombu.transport import virtual
from kombu.utils.json import dumps, loads

from photofleet.broker.holds import AWS_ERRORS, Hold, Holds
from photofleet.broker.receiver import Receiver

logger = logging.getLogger(__name__)

FIRST_BACKOFF_S = 10
LONGEST_BACKOFF_S = 900


class Channel(virtual.Channel):
    """Publishes to topics, receives from queues, and settles what it received."""

    supports_fanout = True
    body_encoding = "utf-8"  # so that a person can read a body in the dead-letter queue

    connection: Any  # our Transport
    hub: Any

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._options: dict[str, Any] = connection.client.transport_options
        queue_urls = self._options["queue_urls"]
        self._dead_letter_urls = {queue_urls[name]: url for name, url in self._options["dead_letter_urls"].items()}
        self._holds = Holds(connection.sqs, self._options["visibility_timeout"])
        self._receivers: dict[str, Receiver] = {}
        self._leaving: list[Receiver] = []
        self._settled = threading.Condition()
        self._received: deque[tuple[str, Hold]] = deque()
        self.hub = get_event_loop()

    # Queues and topics: known, never made.

    def _new_queue(self, queue: str, **_: Any) -> None:
        if queue not in self._options["queue_urls"]:
            raise ChannelError(f"There is no queue {queue!r}; queue_urls has {sorted(self._options['queue_urls'])}.")

    def _queue_bind(self, *_: Any) -> None:
        pass

    def _put_fanout(self, exchange: str, message: dict[str, Any], routing_key: str, **_: Any) -> None:
        self.connection.sns.publish(TopicArn=self._options["topic_arns"][exchange], Message=dumps(message))

    # Receiving: a thread for each queue hands messages to the event loop.

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **kwargs: Any) -> None:
        """Start to receive from a queue, which needs an event loop: a worker's."""
        if self.hub is None:
            raise ChannelError("Receiving needs an event loop; start a worker.")
        super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)
        self._receivers[consumer_tag] = Receiver(
            self.connection.sqs,
            self._options["queue_urls"][queue],
            wait_s=self._options["wait_time_seconds"],
            room=self._wait_for_room,
            deliver=lambda hold: self._hand_over(queue, hold),
            release=self._holds.release,
        )
        self._holds.start()
        self._receivers[consumer_tag].start()

    def basic_cancel(self, consumer_tag: str) -> None:
        """Receive no more for this consumer; what is on its way is made visible again at once."""
        if receiver := self._receivers.pop(consumer_tag, None):
            receiver.stop()
            with self._settled:
                self._settled.notify_all()
            self._leaving.append(receiver)
        super().basic_cancel(consumer_tag)

    def _wait_for_room(self, timeout: float) -> int:
        """How many messages may be received now, waiting a while for the first to be allowed."""
        with self._settled:
            if not self._received and self.qos.can_consume():
                room = self.qos.can_consume_max_estimate()
                return 10 if room is None else min(room, 10)
            self._settled.wait(timeout)
            return 0

    def _hand_over(self, queue: str, hold: Hold) -> None:  # in a receiver's thread
        self._holds.add(hold)
        with self._settled:
            self._received.append((queue, hold))
        self.hub.call_soon(self._deliver_received)

    def _deliver_received(self) -> None:  # in the event loop, and when it has ended
        while self._received:
            queue, hold = self._received[0]  # it stays until the consumer counts it, so that no room is seen twice
            if queue not in self._active_queues:
                self._holds.release(hold)
            else:
                self._deliver(queue, hold)
            self._received.popleft()
        with self._settled:
            self._settled.notify_all()

    def _deliver(self, queue: str, hold: Hold) -> None:
        """Hand a message to the consumer. One that it chokes on must not take the worker, and the next, down."""
        try:
            self.connection._deliver(_payload(queue, hold), queue)  # noqa: SLF001 -- kombu's way to the consumer
        except Exception:
            logger.exception("a message that is not ours goes to the dead-letter queue: %.200s", hold.body)
            self.basic_reject(hold.handle)

    # Settling. A message that cannot be settled now reappears by itself, and its task is idempotent.

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Delete a message whose work is done."""
        if hold := self._holds.pop(delivery_tag):
            self._attempt(self.connection.sqs.delete_message, QueueUrl=hold.queue_url, ReceiptHandle=hold.handle)
        self._forget(delivery_tag)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Give a message back, to reappear after a time that doubles with each receive; or bury it."""
        if hold := self._holds.pop(delivery_tag):
            if requeue:
                self._holds.release(hold, min(FIRST_BACKOFF_S * 2 ** (hold.receive_count - 1), LONGEST_BACKOFF_S))
            else:
                self._bury(hold)
        self._forget(delivery_tag)

    def _forget(self, delivery_tag: str) -> None:
        self.qos.ack(delivery_tag)
        with self._settled:
            self._settled.notify_all()

    def _restore(self, message: Any) -> None:  # when the channel closes with this message unsettled
        if hold := self._holds.pop(message.delivery_tag):
            self._holds.release(hold)

    def _bury(self, hold: Hold) -> None:
        url = self._dead_letter_urls[hold.queue_url]
        if self._attempt(self.connection.sqs.send_message, QueueUrl=url, MessageBody=hold.body):
            self._attempt(self.connection.sqs.delete_message, QueueUrl=hold.queue_url, ReceiptHandle=hold.handle)

    @staticmethod
    def _attempt(call: Any, **arguments: Any) -> bool:
        try:
            call(**arguments)
        except AWS_ERRORS as error:
            logger.warning("a message will come again: %s", error)
            return False
        return True

    def close(self) -> None:
        """Stop receiving, and make everything unsettled visible to other workers at once."""
        if not self.closed:
            super().close()
            for receiver in self._leaving:
                receiver.join()
            self._deliver_received()
            self._holds.stop()


def _payload(queue: str, hold: Hold) -> dict[str, Any]:
    payload: dict[str, Any] = loads(hold.body)
    payload["properties"].update(
        delivery_tag=hold.handle,
        delivery_info={"exchange": "", "routing_key": queue, "redelivered": hold.receive_count > 1},
    )
    return payload


@cache
def _client(service: str, *, connect_timeout: int, read_timeout: int, attempts: int) -> Any:
    """A client for all connections of this process: it may be shared by threads, and takes half a second to make."""
    retries = {"mode": "standard", "total_max_attempts": attempts}
    config = Config(connect_timeout=connect_timeout, read_timeout=read_timeout, retries=retries)
    return AwsSession().client(service, config=config)


class Transport(virtual.Transport):
    """One connection; the AWS clients behind it are those of the process."""

    Channel = Channel
    driver_type = "sqs"
    driver_name = "sqs"
    connection_errors: Any = (*virtual.Transport.connection_errors, *AWS_ERRORS)

    implements = virtual.Transport.implements.extend(asynchronous=True, exchange_type=frozenset({"direct", "fanout"}))

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        wait = client.transport_options["wait_time_seconds"]
        self.sqs = _client("sqs", connect_timeout=5, read_timeout=wait + 5, attempts=3)
        # Someone waits for the answer to an upload: publishing gives up soon, and the sweeper announces again.
        self.sns = _client("sns", connect_timeout=2, read_timeout=5, attempts=2)

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Keep the loop turning, so that a signal is noticed within a second."""
        loop.call_repeatedly(1, lambda: None)
