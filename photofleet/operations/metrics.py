"""The queues' numbers as metrics, in log lines: CloudWatch's embedded metric format.

CloudWatch Logs makes metrics of such lines by itself, so nothing has to be called and nothing can fail. The
sender's role needs `sqs:GetQueueAttributes` on the four queues.

The format is specified under "Embedded metric format" in Amazon CloudWatch's user guide.
"""

import logging

from photofleet.operations.status import QueueStatus, Status
from photofleet.settings import get_settings

logger = logging.getLogger(__name__)

NAMESPACE = "Photofleet"

DIMENSIONS = ("Stage", "QueueName")
"""A queue's name, a dimension of SQS's own metrics, too, tells environments apart: it begins with its stack's."""

UNITS = {
    "Waiting": "Count",
    "InFlight": "Count",
    "OldestAge": "Seconds",
    "FinishedPerMinute": "Count",
    "DeadLetters": "Count",
}


def emit(status: Status) -> None:
    """Log one line for each queue.

    Every process that does so reports the same numbers, so that Average and Maximum are right with any number of them.
    """
    for queue in status.queues:
        # As a message: the formatter drops what is given as `extra` and begins with an underscore.
        logger.info(_line(queue, status))


def _line(queue: QueueStatus, status: Status) -> dict[str, object]:
    queue_url: str = getattr(get_settings(), f"{queue.name}_queue_url")
    return {
        "_aws": {
            "Timestamp": int(status.taken_at.timestamp() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [list(DIMENSIONS)],
                    "Metrics": [{"Name": name, "Unit": unit} for name, unit in UNITS.items()],
                }
            ],
        },
        "message": f"the {queue.name} queue",
        "Stage": queue.name,
        "QueueName": queue_url.rsplit("/", 1)[-1],
        "Waiting": queue.waiting,
        "InFlight": queue.in_flight,
        "OldestAge": queue.oldest_s or 0,
        "FinishedPerMinute": queue.rate_per_minute,
        "DeadLetters": queue.dead_letters,
    }
