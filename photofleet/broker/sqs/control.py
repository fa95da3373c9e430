"""Asking workers, with one mailbox for all questions of a thread: `Celery(control="photofleet.broker.sqs:Control")`.

Kombu has one for each question. In SQS that is a queue to be made and deleted, of a name that it refuses for a minute
if it comes again; a process that asks every few seconds would leave them behind by the hundred.
"""

import threading
from time import monotonic
from uuid import uuid4

from celery.app.control import Control as CeleryControl
from kombu import pidbox

from photofleet.broker.sqs.mailboxes import ABANDONED_AFTER_S

LIFE_S = ABANDONED_AFTER_S / 2
"""After this long another is taken, as old ones are thought to be abandoned."""

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


class Control(CeleryControl):  # type: ignore[misc]  # Celery has no types
    """Celery's remote control, with this mailbox."""

    Mailbox = Mailbox
