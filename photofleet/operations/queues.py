"""How full a queue is."""

from dataclasses import dataclass

from photofleet.clients import prompt_client

_WAITING = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed")
_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"


@dataclass(frozen=True)
class Depth:
    """Messages that can be taken, now or after a delay, and messages that somebody holds; SQS counts roughly."""

    waiting: int
    in_flight: int


def get_depth(queue_url: str) -> Depth:
    """Count the messages of a queue, which needs `sqs:GetQueueAttributes`.

    Raises:
        AWS_ERRORS: what AWS answers instead.
    """
    answer = prompt_client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=[*_WAITING, _IN_FLIGHT])
    counts = {name: int(count) for name, count in answer["Attributes"].items()}
    return Depth(waiting=sum(counts[name] for name in _WAITING), in_flight=counts[_IN_FLIGHT])
