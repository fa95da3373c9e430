"""Publishing: one request to SNS puts a message into the queue of every fleet that listens; one to SQS, into one."""

from collections.abc import Mapping
from typing import Any

from kombu.exceptions import ChannelError
from kombu.utils.json import dumps


class Publisher:
    """Publishes to the topics behind fanout exchanges, and sends to queues.

    Args:
        sns: A client that gives up soon, as somebody may wait for the message to be out.
        topic_arns: The topic behind each exchange.
        sqs: A client that gives up soon, too.
        queue_urls: The URL of each queue.
    """

    def __init__(self, sns: Any, topic_arns: Mapping[str, str], sqs: Any, queue_urls: Mapping[str, str]) -> None:
        self._sns = sns
        self._topic_arns = topic_arns
        self._sqs = sqs
        self._queue_urls = queue_urls

    def publish(self, exchange: str, message: Mapping[str, Any]) -> None:
        """Publish a message to the topic behind an exchange.

        Raises:
            ChannelError: There is no such topic.
            AWS_ERRORS: what AWS answers instead.
        """
        if exchange not in self._topic_arns:
            raise ChannelError(f"There is no topic behind {exchange!r}; topic_arns has {sorted(self._topic_arns)}.")
        self._sns.publish(TopicArn=self._topic_arns[exchange], Message=dumps(message))

    def send(self, queue: str, message: Mapping[str, Any]) -> None:
        """Send a message to one queue, as a topic would deliver it there.

        Raises:
            ChannelError: There is no such queue.
            AWS_ERRORS: what AWS answers instead.
        """
        if queue not in self._queue_urls:
            raise ChannelError(f"There is no queue {queue!r}; queue_urls has {sorted(self._queue_urls)}.")
        self._sqs.send_message(QueueUrl=self._queue_urls[queue], MessageBody=dumps(message))
