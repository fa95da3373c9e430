"""The clients of SQS of this process, and what it says."""

from typing import Any

from botocore.exceptions import ClientError

from photofleet.clients import client

BATCH = 10
"""The most messages that SQS takes or gives in one request."""

MISSING = "QueueDoesNotExist"


def patient_client(wait_time_seconds: int) -> Any:
    """An SQS client for threads that nobody waits for: a request may take as long as a long poll, and is retried."""
    return client("sqs", connect_timeout=5, read_timeout=wait_time_seconds + 5, attempts=3)


def is_missing_queue(error: Exception) -> bool:
    """Whether AWS says that there is no such queue."""
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code", "").endswith(
        ("NonExistentQueue", MISSING)
    )
