"""What the fleets gave up on: the messages in the dead-letter queues.

To look needs `sqs:GetQueueAttributes`, `sqs:ReceiveMessage` and `sqs:ChangeMessageVisibility` on a dead-letter queue;
to send back, `sqs:DeleteMessage` as well, and `sqs:SendMessage` on the queue of the stage; to purge, `sqs:PurgeQueue`.
"""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from photofleet.broker import PHOTO_UPLOADED
from photofleet.broker.sqs.clients import BATCH
from photofleet.clients import AWS_ERRORS, prompt_client
from photofleet.operations.queues import Depth, get_depth
from photofleet.settings import get_settings

logger = logging.getLogger(__name__)

LOOK_S = 60
"""For how long a message is hidden, in seconds, if whoever looks at it dies before handing it back."""


@dataclass(frozen=True)
class Announcement:
    """What a message of ours says: that a photo was uploaded, and by which web request."""

    task: str
    photo_id: UUID
    request_id: str


@dataclass(frozen=True)
class DeadLetter:
    """A message in a dead-letter queue, and how often it was received there and before."""

    id: str
    handle: str
    body: str
    sent_at: datetime
    receive_count: int
    announcement: Announcement | None


def decode(body: str) -> Announcement | None:
    """What a message says; None if it is not one that the fleets understand."""
    try:
        message = json.loads(body)
        task = message["headers"]["task"]
        positional, arguments, *_ = json.loads(message["body"])
        photo_id, request_id = UUID(arguments["photo_id"]), arguments["request_id"]
        is_ours = task == PHOTO_UPLOADED and not positional and arguments.keys() == {"photo_id", "request_id"}
        is_ours = is_ours and isinstance(request_id, str) and str(photo_id) == arguments["photo_id"]
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None
    return Announcement(task, photo_id, request_id) if is_ours else None


class DeadLetterQueue:
    """The dead-letter queue of a stage, for a with block: what it took and did not settle goes back at the end.

    Its methods raise AWS_ERRORS.
    """

    def __init__(self, stage: str) -> None:
        settings = get_settings()
        self.stage = stage
        self._url: str = getattr(settings, f"{stage}_dead_letter_url")
        self._source_url: str = getattr(settings, f"{stage}_queue_url")
        self._sqs = prompt_client("sqs")
        self._taken: dict[str, DeadLetter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        taken = list(self._taken.values())
        self._taken.clear()
        for first in range(0, len(taken), BATCH):
            self._hand_back(taken[first : first + BATCH])

    def get_depth(self) -> Depth:
        """How many messages are there."""
        return get_depth(self._url)

    def take(self, most: int, hide_s: int) -> list[DeadLetter]:
        """Take some messages, at most ten, hidden from others for a time; none if there are none left."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(most, BATCH),
            VisibilityTimeout=hide_s,
            WaitTimeSeconds=1,  # with 0, SQS asks some of its servers only, and may miss what is there
            MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        )
        letters = [_read(message) for message in answer.get("Messages", ())]
        self._taken.update({letter.id: letter for letter in letters})
        return letters

    def look(self, most: int) -> list[DeadLetter]:
        """Look at messages, oldest first; they stay hidden until the end of the with block."""
        seen: dict[str, DeadLetter] = {}
        while len(seen) < most and (letters := self.take(most - len(seen), LOOK_S)):
            if seen.keys() >= {letter.id for letter in letters}:  # they come round again
                break
            seen.update({letter.id: letter for letter in letters})
        return sorted(seen.values(), key=lambda letter: letter.sent_at)

    def send_back(self, letter: DeadLetter) -> None:
        """Move a message to the queue of the stage. Should this die half-way, it is in both, and never in none."""
        self._sqs.send_message(QueueUrl=self._source_url, MessageBody=letter.body)
        self.delete(letter)

    def delete(self, letter: DeadLetter) -> None:
        """Delete a message."""
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=letter.handle)
        self._taken.pop(letter.id, None)

    def purge(self) -> None:
        """Delete every message, whoever holds it; SQS takes up to a minute, and allows it once a minute."""
        self._sqs.purge_queue(QueueUrl=self._url)

    def _hand_back(self, letters: list[DeadLetter]) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": letter.handle, "VisibilityTimeout": 0}
            for number, letter in enumerate(letters)
        ]
        try:
            failed = self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries).get("Failed", ())
        except AWS_ERRORS as error:
            logger.warning("messages stay hidden for a while: %s", error)
        else:
            for entry in failed:
                logger.warning("a message stays hidden for a while: %s", entry.get("Message"))


def _read(message: dict[str, Any]) -> DeadLetter:
    attributes = message["Attributes"]
    return DeadLetter(
        id=message["MessageId"],
        handle=message["ReceiptHandle"],
        body=message["Body"],
        sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        receive_count=int(attributes["ApproximateReceiveCount"]),
        announcement=decode(message["Body"]),
    )
