"""The service's queues, as an operator sees them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import boto3

BUSY_WITH = "01a200c4-5fb6-7356-8676-ac222b39f140"
"""The id of a photo that the worker of these tests is busy with for five seconds."""

QUEUES = ("RESIZE_QUEUE", "RESIZE_DEAD_LETTER", "LABEL_QUEUE", "LABEL_DEAD_LETTER")


class Queues:
    """The two queues and their dead-letter queues."""

    def __init__(self, cloud: Mapping[str, str]) -> None:
        self._sqs = boto3.client("sqs")
        self._urls = {name: cloud[f"PHOTOFLEET_{name}_URL"] for name in QUEUES}

    def empty(self) -> None:
        for url in self._urls.values():
            self._sqs.purge_queue(QueueUrl=url)

    def send(self, name: str, body: str) -> None:
        self._sqs.send_message(QueueUrl=self._urls[name], MessageBody=body)

    def counts(self, name: str) -> tuple[int, int]:
        """How many messages are visible, and how many are in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._urls[name], AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def bodies(self, name: str) -> list[str]:
        answer = self._sqs.receive_message(QueueUrl=self._urls[name], MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in answer.get("Messages", [])]

    def all_bodies(self, name: str) -> list[str]:
        """All messages, which nobody sees again for half a minute."""
        bodies: list[str] = []
        while messages := self._sqs.receive_message(
            QueueUrl=self._urls[name], MaxNumberOfMessages=10, VisibilityTimeout=30
        ).get("Messages", []):
            bodies += [message["Body"] for message in messages]
        return bodies

    def hiding_for(self, name: str, seconds: int) -> AbstractContextManager[None]:
        """For the length of a with block, a message that is received is hidden for so long."""
        return self._having(name, "VisibilityTimeout", str(seconds))

    def given_up_after(self, name: str, receives: int) -> AbstractContextManager[None]:
        """For the length of a with block, a message goes to the dead-letter queue after so many receives."""
        policy = json.loads(self._attribute(name, "RedrivePolicy")) | {"maxReceiveCount": receives}
        return self._having(name, "RedrivePolicy", json.dumps(policy))

    @contextmanager
    def _having(self, name: str, attribute: str, value: str) -> Iterator[None]:
        usual = self._attribute(name, attribute)
        try:
            self._sqs.set_queue_attributes(QueueUrl=self._urls[name], Attributes={attribute: value})
            yield
        finally:
            self._sqs.set_queue_attributes(QueueUrl=self._urls[name], Attributes={attribute: usual})

    def _attribute(self, name: str, attribute: str) -> str:
        found = self._sqs.get_queue_attributes(QueueUrl=self._urls[name], AttributeNames=[attribute])
        value: str = found["Attributes"][attribute]
        return value
