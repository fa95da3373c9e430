"""Mailboxes: a queue for each worker, and one for each process that asks them and waits for their replies.

Celery broadcasts its remote control through a fanout exchange, which SQS has not. Here the one who asks puts a copy
into the mailbox of each worker; so only who may write to `<prefix>-node-*` commands workers, and a worker needs to
write to `<prefix>-reply-*` alone. A node's mailbox is named after it: `resize@i-0abc` reads
`<prefix>-node-resize_i-0abc`, so that a policy can keep each fleet to its own mailboxes.
"""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kombu.utils.json import dumps, loads

from photofleet.broker.sqs.clients import BATCH, is_missing_queue
from photofleet.broker.sqs.messages import Received, receive
from photofleet.clients import AWS_ERRORS

logger = logging.getLogger(__name__)

RETENTION_S = 300
"""A command that was not read by then is of no use any more. Longer than it takes to tell that its reader is dead."""

ABANDONED_AFTER_S = 24 * 3600
"""A reply queue is deleted by its process; one that is so old was left by a process that could not."""

SENDERS = 16
"""So many mailboxes are written to at once."""

UNREAD = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
"""The latter, as SQS may have handed a command to the last request of a reader that died while it waited."""

LONGEST_NAME = 80
"""SQS's limit."""

NODE_QUEUE = re.compile(r"^(.+)\.\w+\.pidbox$")
REPLY_QUEUE = re.compile(r"^(.+)\.reply\.\w+\.pidbox$")
REPLY_EXCHANGE = re.compile(r"^reply\.\w+\.pidbox$")
"""What Celery calls the queues and the exchange of remote control; \\w+ is its `control_exchange`."""


class Mailboxes:
    """The mailboxes whose names begin with a prefix.

    Args:
        sqs: A client that gives up soon, as somebody waits for the replies.
        prefix: What the names begin with: of one environment, so that no other is reached.
        queues_url: What the URLs of this account's queues begin with, up to their names.
    """

    def __init__(self, sqs: Any, prefix: str, queues_url: str) -> None:
        self._sqs = sqs
        self._prefix = prefix
        self._queues_url = queues_url

    def url(self, queue: str) -> str:
        """The URL of the mailbox that Celery calls `queue`."""
        if reply := REPLY_QUEUE.match(queue):
            return self._url(f"{self._prefix}-reply-", reply[1])
        if node := NODE_QUEUE.match(queue):
            return self._node_url(node[1])
        raise ValueError(f"{queue!r} is no mailbox.")

    def create(self, queue: str) -> str:
        """Make a mailbox, unless it is there, and return its URL. SQS makes none that was deleted a minute ago.

        Raises:
            AWS_ERRORS: what AWS answers instead.
        """
        url = self.url(queue)
        self._sqs.create_queue(
            QueueName=url.rsplit("/", 1)[-1], Attributes={"MessageRetentionPeriod": str(RETENTION_S)}
        )
        return url

    def delete(self, url: str) -> bool:
        """Delete a mailbox; say whether that was done."""
        try:
            self._sqs.delete_queue(QueueUrl=url)
        except AWS_ERRORS as error:
            logger.info("a mailbox stays behind: %s", error)
            return False
        return True

    def read(self, sqs: Any, queue: str, *, wait_s: int, most: int = BATCH) -> list[Received]:
        """Take messages out of a mailbox that this process reads; those that have expired are thrown away.

        A mailbox that is not there is made: this is the first look, or its reader was thought dead.

        Raises:
            AWS_ERRORS: what AWS answers instead.
        """
        url = self.url(queue)
        try:
            messages = receive(sqs, queue, url, wait_s=wait_s, most=most)
        except AWS_ERRORS as error:
            if not is_missing_queue(error):
                raise
            self.create(queue)
            logger.info("made the mailbox %s", url)
            return []
        if messages:
            entries = [{"Id": str(i), "ReceiptHandle": message.handle} for i, message in enumerate(messages)]
            self._sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        return [message for message in messages if not _has_expired(message)]

    def command(self, message: Mapping[str, Any]) -> None:
        """Put a command into the mailboxes of the nodes that it names, or of all."""
        nodes = loads(message["body"]).get("destination")
        urls: Iterable[str] = map(self._node_url, nodes) if nodes else self._list("node")
        body = dumps(message)
        with ThreadPoolExecutor(SENDERS, "command") as senders:
            list(senders.map(lambda url: self._send(url, body), urls))

    def reply(self, queue: str, message: Mapping[str, Any]) -> None:
        """Put a reply into the mailbox of the process that asked."""
        self._send(self.url(queue), dumps(message))

    def prune(self, ask: Callable[[], Collection[str]], patience_s: float) -> list[str]:
        """Delete the mailboxes of nodes that answer nothing and read nothing, and reply queues that were left behind.

        A worker reads its mailbox in a thread of its own, however busy it is. If it was cut off for so long, and has
        come back, it makes its mailbox again.

        Args:
            ask: Sends all nodes a command, and returns the names of those that answer.
            patience_s: For how many seconds a command must stay unread; that is looked for twice, as SQS counts late.

        Returns:
            The names of the deleted mailboxes.

        Raises:
            AWS_ERRORS: what AWS answers instead.
        """
        answered = set(ask())
        time.sleep(patience_s / 2)
        unread = [url for url in self._list("node") if self._count(url, *UNREAD)]
        answered.update(ask())
        time.sleep(patience_s / 2)
        alive = set(map(self._node_url, answered))
        dead = [url for url in unread if url not in alive and self._count(url, *UNREAD)]
        oldest = time.time() - ABANDONED_AFTER_S
        dead += [url for url in self._list("reply") if 0 < self._count(url, "CreatedTimestamp") < oldest]
        return [url.rsplit("/", 1)[-1] for url in dead if self.delete(url)]

    def _list(self, kind: str) -> Iterator[str]:
        pages = self._sqs.get_paginator("list_queues").paginate(
            QueueNamePrefix=f"{self._prefix}-{kind}-", PaginationConfig={"PageSize": 1000}
        )
        for page in pages:
            yield from page.get("QueueUrls", ())

    def _count(self, url: str, *names: str) -> int:
        """The sum of attributes of a mailbox, 0 if it is gone."""
        try:
            found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        except AWS_ERRORS as error:
            if not is_missing_queue(error):  # such as one whose maker lets nobody look at it
                logger.warning("%s cannot be looked at: %s", url, error)
            return 0
        return sum(int(found[name]) for name in names)

    def _send(self, url: str, body: str) -> None:
        try:
            self._sqs.send_message(QueueUrl=url, MessageBody=body)
        except AWS_ERRORS as error:
            if is_missing_queue(error):
                logger.info("nobody reads %s any more", url)
            else:
                logger.warning("%s was not written to: %s", url, error)

    def _node_url(self, node: str) -> str:
        return self._url(f"{self._prefix}-node-", node)

    def _url(self, beginning: str, name: str) -> str:
        slug = re.sub(r"[^A-Za-z0-9_-]", "-", name.replace("@", "_"))
        if len(beginning + slug) > LONGEST_NAME:
            digest = hashlib.sha256(name.encode()).hexdigest()[:12]
            slug = f"{slug[: LONGEST_NAME - len(beginning) - len(digest) - 1]}-{digest}"
        return self._queues_url + beginning + slug


def is_mailbox(queue: str) -> bool:
    """Whether Celery calls a mailbox so."""
    return queue.endswith(".pidbox")


def is_reply_exchange(exchange: str) -> bool:
    """Whether Celery sends replies through an exchange of this name."""
    return bool(REPLY_EXCHANGE.match(exchange))


def _has_expired(message: Received) -> bool:
    try:
        expires = loads(message.body)["headers"].get("expires")
        return bool(expires) and float(expires) < time.time()
    except Exception:  # noqa: BLE001 -- not a Celery message, which its reader will say
        return False
