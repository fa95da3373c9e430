"""The service's queues, as an operator sees them."""

from collections.abc import Mapping

import boto3

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
