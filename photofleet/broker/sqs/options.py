"""What the transport is told in Celery's `broker_transport_options`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Options:
    """The transport's options.

    Attributes:
        queue_urls: The URL of each queue, by the name that Celery knows it by.
        dead_letter_urls: The URL of each queue's dead-letter queue, by the queue's name.
        topic_arns: The SNS topic behind each fanout exchange, by the exchange's name.
        visibility_timeout: Seconds for which a received message is hidden, as the queues have it.
        wait_time_seconds: Seconds for which one request waits for messages, at most 20.
        first_backoff: Seconds for which a message that was given back stays hidden; doubled with each receive.
        mailbox_prefix: What the names of the workers' mailboxes begin with; without it, there is no remote control.
    """

    queue_urls: Mapping[str, str]
    dead_letter_urls: Mapping[str, str]
    topic_arns: Mapping[str, str] = field(default_factory=dict)
    visibility_timeout: int = 60
    wait_time_seconds: int = 20
    first_backoff: float = 10
    mailbox_prefix: str | None = None

    @classmethod
    def read(cls, transport_options: Mapping[str, Any]) -> Self:
        """The options as Celery hands them over, among others that are kombu's own.

        Raises:
            ValueError: naming what is missing.
        """
        known = {item.name for item in fields(cls)}
        given = {name: value for name, value in transport_options.items() if name in known}
        missing = {"queue_urls", "dead_letter_urls"} - given.keys()
        if missing:
            raise ValueError(f"broker_transport_options needs {' and '.join(sorted(missing))}.")
        without = given["queue_urls"].keys() - given["dead_letter_urls"].keys()
        if without:
            raise ValueError(f"dead_letter_urls needs a URL for {', '.join(sorted(without))}.")
        return cls(**given)
