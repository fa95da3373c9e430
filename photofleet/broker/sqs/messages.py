"""A message as SQS delivers it, and as kombu wants it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from kombu.utils.json import loads

ATTRIBUTES = ("ApproximateReceiveCount",)

ENCODINGS = ("utf-8", "us-ascii", "binary")
"""What Celery sends. Kombu decodes with any codec of Python's that a message names, and some of them unpack."""


@dataclass(frozen=True)
class Received:
    """A received message: from which queue, its receipt handle, its body and how often it was received."""

    queue: str
    queue_url: str
    handle: str
    body: str
    receive_count: int
    since: float = field(default_factory=monotonic)


def receive(sqs: Any, queue: str, queue_url: str, *, wait_s: int, most: int) -> list[Received]:
    """Receive from a queue, waiting for the first message.

    Raises:
        AWS_ERRORS: what AWS answers instead.
    """
    answer = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=most,
        WaitTimeSeconds=wait_s,
        MessageSystemAttributeNames=list(ATTRIBUTES),
    )
    return [_received(queue, queue_url, message) for message in answer.get("Messages", ())]


def _received(queue: str, queue_url: str, message: Mapping[str, Any]) -> Received:
    count = int(message["Attributes"]["ApproximateReceiveCount"])
    return Received(queue, queue_url, message["ReceiptHandle"], message["Body"], count)


def payload(message: Received) -> dict[str, Any]:
    """The message for kombu.

    Raises:
        Exception: of any kind, if it was no Celery message.
    """
    found: dict[str, Any] = loads(message.body)
    # A few bytes could become more than this process can hold.
    if found["headers"].get("compression") or found["content-encoding"] not in ENCODINGS:
        raise ValueError("It is compressed, which nothing is that we send.")
    found["properties"].update(
        delivery_tag=message.handle,
        delivery_info={"exchange": "", "routing_key": message.queue, "redelivered": message.receive_count > 1},
    )
    return found
