"""The channel: receiving, settling, publishing and mailboxes, put together as kombu expects it.

It stands on kombu's virtual transport, the one its own transports stand on, and fills in the hooks that this leaves
open; tests/photofleet/broker/test_kombu.py lists them. Queues and topics belong to the infrastructure: none is made.
"""

import logging
import threading
import weakref
from collections import deque
from math import ceil
from queue import Empty
from typing import Any

from kombu.asynchronous import get_event_loop
from kombu.exceptions import ChannelError
from kombu.transport import virtual

from photofleet.broker.sqs.clients import BATCH
from photofleet.broker.sqs.mailboxes import is_mailbox, is_reply_exchange
from photofleet.broker.sqs.messages import Received, payload, receive
from photofleet.broker.sqs.receiving import Inbox, Receiver
from photofleet.broker.sqs.settling import Settler
from photofleet.broker.sqs.visibility import Holds

logger = logging.getLogger(__name__)

STOP_PATIENCE_S = 30
"""How long a channel that closes waits for AWS; after it, what is still on its way reappears by itself."""


class Channel(virtual.Channel):
    """Publishes to topics and queues, receives from queues, settles what it received, and reads a mailbox."""

    supports_fanout = True
    body_encoding = "utf-8"  # so that a person can read a body in the dead-letter queue

    connection: Any  # our Transport

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._options = connection.options
        self._sqs = connection.sqs
        self._publisher = connection.publisher
        self._mailboxes = connection.mailboxes
        self._hub: Any = get_event_loop()
        self._holds = Holds(self._sqs, self._options.visibility_timeout)
        self._settler = Settler(self._sqs, self._options.dead_letter_urls, first_backoff=self._options.first_backoff)
        self._inbox = Inbox(self._free)
        self._mail: deque[Received] = deque()
        self._receivers: dict[str, Receiver] = {}
        self._leaving: list[Receiver] = []
        self._made: set[str] = set()
        self._loop_thread: int | None = None

    # Queues and topics are known, never made; mailboxes are made.

    def _new_queue(self, queue: str, **_: Any) -> None:
        if is_mailbox(queue):
            mailboxes = self._need_mailboxes()
            # A worker's is made by its receiver: no photo is to wait because there is trouble with remote control.
            if self._hub is None and queue not in self._made:
                weakref.finalize(self, mailboxes.delete, mailboxes.create(queue))
                self._made.add(queue)
        elif queue not in self._options.queue_urls:  # an error here would end every worker that is told to consume it
            logger.error("there is no queue %r; queue_urls has %s", queue, sorted(self._options.queue_urls))

    def _queue_bind(self, *_: Any) -> None:
        pass

    def _need_mailboxes(self) -> Any:
        if self._mailboxes is None:
            raise ChannelError("There is no remote control without mailbox_prefix in broker_transport_options.")
        return self._mailboxes

    # Publishing.

    def _put_fanout(self, exchange: str, message: dict[str, Any], routing_key: str, **_: Any) -> None:
        if is_mailbox(exchange):
            self._need_mailboxes().command(message)
        else:
            self._publisher.publish(exchange, message)

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> Any:
        if is_reply_exchange(exchange):
            return [f"{routing_key}.{exchange}"]  # the mailbox of whoever asked
        return super()._lookup(exchange, routing_key, default)

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        if is_mailbox(queue):
            self._need_mailboxes().reply(queue, message)
        else:
            self._publisher.send(queue, message)

    # Receiving: a thread for each queue fills the inbox, from which the event loop takes.

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **kwargs: Any) -> None:
        """Start to receive from a queue, which needs an event loop, a worker's; or to wait for replies."""
        super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)
        if self._hub is None:
            if not no_ack:
                raise ChannelError("Receiving needs an event loop: start a worker.")
            return  # replies are read by drain_events
        self._loop_thread = threading.get_ident()
        if is_mailbox(queue):
            self._start(consumer_tag, self._mailbox_receiver(queue))
        elif queue in self._options.queue_urls:
            self._start(consumer_tag, self._queue_receiver(queue))

    def _start(self, consumer_tag: str, receiver: Receiver) -> None:
        self._receivers[consumer_tag] = receiver
        receiver.start()

    def _queue_receiver(self, queue: str) -> Receiver:
        self._holds.start()
        self._settler.start()
        url, wait_s = self._options.queue_urls[queue], self._options.wait_time_seconds
        return Receiver(
            queue,
            room=self._inbox.room,
            receive=lambda most: receive(self._sqs, queue, url, wait_s=wait_s, most=most),
            deliver=self._accept,
            release=self._settler.release,
        )

    def _mailbox_receiver(self, queue: str) -> Receiver:
        wait_s = self._options.wait_time_seconds
        return Receiver(
            queue,
            room=lambda: BATCH,
            receive=lambda most: self._mailboxes.read(self._sqs, queue, wait_s=wait_s, most=most),
            deliver=self._accept_mail,
            release=lambda _: None,
        )

    def basic_cancel(self, consumer_tag: str) -> None:
        """Receive no more for this consumer; what was not started is made visible to other workers at once."""
        super().basic_cancel(consumer_tag)
        if receiver := self._receivers.pop(consumer_tag, None):
            receiver.stop()
            self._inbox.wake()
            if not is_mailbox(receiver.queue):
                self._leaving.append(receiver)
            for message in self._inbox.empty(receiver.queue):
                self._hand_back(message)

    def basic_qos(self, *args: Any, **kwargs: Any) -> None:
        """Change how many messages the worker takes at once."""
        super().basic_qos(*args, **kwargs)
        self._inbox.wake()

    def _free(self) -> int:
        free = self.qos.can_consume_max_estimate()
        return BATCH if free is None else int(free)

    def _accept(self, message: Received) -> None:  # in a receiver's thread
        self._holds.add(message)
        self._inbox.put(message)
        if message.queue in self._active_queues:
            self._hub.call_soon(self._deliver_received)
        else:  # cancelled at this very moment
            for late in self._inbox.empty(message.queue):
                self._hand_back(late)

    def _accept_mail(self, message: Received) -> None:  # in a receiver's thread
        self._mail.append(message)
        self._hub.call_soon(self._deliver_mail)

    def _deliver_received(self) -> None:  # in the event loop
        while message := self._inbox.take():
            if not self._deliver(message):
                self.basic_reject(message.handle)

    def _deliver_mail(self) -> None:  # in the event loop
        while self._mail:
            self._deliver(self._mail.popleft())

    def _deliver(self, message: Received) -> bool:
        """Hand a message to its consumer. One that it chokes on must not take the worker, and the next one, down."""
        try:
            self.connection._deliver(payload(message), message.queue)  # noqa: SLF001 -- kombu's way to the consumer
        except Exception:
            logger.exception("a message that is not ours: %.200s", message.body)
            return False
        return True

    def drain_events(self, timeout: float | None = None, callback: Any = None) -> None:
        """Wait for one reply, where there is no event loop: for those who ask workers.

        Raises:
            Empty: There was none.
        """
        longest = self._options.wait_time_seconds
        wait_s = longest if timeout is None else max(1, min(ceil(timeout), longest))
        for queue in self._active_queues:
            if not self._mail:
                self._mail.extend(self._mailboxes.read(self._sqs, queue, wait_s=wait_s))
        if not self._mail or not self._deliver(self._mail.popleft()):
            raise Empty

    def after_reply_message_received(self, queue: str) -> None:
        """Keep the mailbox for the next question of this process; SQS would not make it again within a minute."""

    # Settling.

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Have a message deleted whose work is done."""
        if message := self._holds.pop(delivery_tag):
            self._settler.delete(message)
        self._forget(delivery_tag)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Give a message back, to reappear after a time that doubles with each receive; or bury it."""
        if message := self._holds.pop(delivery_tag):
            if not requeue:
                self._settler.bury(message)
            elif message.queue in self._active_queues:
                self._settler.back_off(message)
            else:  # this worker stops: another may do better
                self._settler.release(message)
        self._forget(delivery_tag)

    def _forget(self, delivery_tag: str) -> None:
        self.qos.ack(delivery_tag)
        self._inbox.note_settled()
        if threading.get_ident() == self._loop_thread:
            # What the loop's own thread has it call soon waits for the next event; a timer does not.
            self._hub.call_later(0, self._deliver_received)
        elif self._hub is not None:
            self._hub.call_soon(self._deliver_received)

    def _hand_back(self, message: Received) -> None:
        self._holds.pop(message.handle)
        self._settler.release(message)

    def _restore(self, message: Any) -> None:  # when the channel closes with this message unsettled
        if held := self._holds.pop(message.delivery_tag):
            self._settler.release(held)

    def close(self) -> None:
        """Stop receiving, and make everything unsettled visible to other workers at once."""
        if not self.closed:
            super().close()
            for receiver in self._leaving:
                receiver.join(STOP_PATIENCE_S)
            self._settler.stop()
            self._holds.stop()
