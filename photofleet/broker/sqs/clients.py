"""The AWS clients of this process."""

from functools import cache
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

AWS_ERRORS = (BotoCoreError, ClientError)
"""What AWS, or the way to it, can answer instead."""

BATCH = 10
"""The most messages that SQS takes or gives in one request."""

CONNECTIONS = 20

MISSING = "QueueDoesNotExist"


@cache
def client(service: str, *, connect_timeout: float, read_timeout: float, attempts: int) -> Any:
    """A client for all connections of this process: threads may share it, and it takes half a second to make."""
    config = Config(
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=CONNECTIONS,
    )
    return Session().client(service, config=config)


def patient_client(wait_time_seconds: int) -> Any:
    """An SQS client for threads that nobody waits for: a request may take as long as a long poll, and is retried."""
    return client("sqs", connect_timeout=5, read_timeout=wait_time_seconds + 5, attempts=3)


def prompt_client(service: str) -> Any:
    """A client for whom somebody waits: it gives up soon."""
    return client(service, connect_timeout=2, read_timeout=5, attempts=2)


def is_missing_queue(error: Exception) -> bool:
    """Whether AWS says that there is no such queue."""
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code", "").endswith(
        ("NonExistentQueue", MISSING)
    )
