"""Asking workers, with one mailbox for all questions of a thread: `Celery(control="photofleet.broker.sqs:Control")`.

Kombu has one for each question. In SQS that is a queue to be made and deleted, of a name that it refuses for a minute
if it comes again; a process that asks every few seconds would leave them behind by the hundred.

Every worker may write to that mailbox, also one that somebody has taken over. So what answers another question is
dropped, where kombu keeps it for ever, and there is an end to waiting, which kombu begins anew with each message.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any
from uuid import uuid4

from celery.app.control import Control as CeleryControl
from kombu import pidbox
from kombu.messaging import Consumer

from photofleet.broker.sqs.mailboxes import ABANDONED_AFTER_S

LIFE_S = ABANDONED_AFTER_S / 2
"""After this long another is taken, as old ones are thought to be abandoned."""

LAST_REPLY_S = 10
"""How long replies may keep coming, in seconds, after the time that was given for the first."""

MOST_REPLIES = 2000

_of_this_thread = threading.local()


class Mailbox(pidbox.Mailbox):
    """Where a thread finds the replies to its questions."""

    @property
    def oid(self) -> str:
        """The thread's own identifier, which the name of its mailbox for replies ends with."""
        if getattr(_of_this_thread, "until", 0) < monotonic():
            _of_this_thread.oid, _of_this_thread.until = str(uuid4()), monotonic() + LIFE_S
        found: str = _of_this_thread.oid
        return found

    def _collect(
        self,
        ticket: str,
        limit: int | None = None,
        timeout: float | None = 1,
        callback: Callable[[Any], object] | None = None,
        channel: Any = None,
        accept: Any = None,
    ) -> list[Any]:
        """Wait for the replies to a question, until none has come for `timeout` seconds."""
        replies: list[Any] = []

        def receive(body: Any, message: Any) -> None:
            if message.headers.get("ticket") == ticket:
                replies.append(body)
                if callback:
                    callback(body)

        most = min(limit or MOST_REPLIES, MOST_REPLIES)
        deadline = monotonic() + (timeout or 0) + LAST_REPLY_S
        connection: Any = self.connection
        channel = channel or connection.default_channel
        accept = accept or self.accept
        with Consumer(channel, [self.reply_queue], accept=accept, no_ack=True, callbacks=[receive]):
            while len(replies) < most and monotonic() < deadline:
                try:
                    connection.drain_events(timeout=timeout)
                except TimeoutError:
                    break
        return replies


class Control(CeleryControl):  # type: ignore[misc]  # Celery has no types
    """Celery's remote control, with this mailbox."""

    Mailbox = Mailbox
