"""The AWS clients of this process."""

from functools import cache
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

AWS_ERRORS = (BotoCoreError, ClientError)
"""What AWS, or the way to it, can answer instead."""

CONNECTIONS = 20


@cache
def client(
    service: str, *, connect_timeout: float, read_timeout: float, attempts: int, region: str | None = None
) -> Any:
    """A client for all connections of this process: threads may share it, and it takes half a second to make."""
    config = Config(
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=CONNECTIONS,
    )
    return Session(region_name=region).client(service, config=config)


def prompt_client(service: str, region: str | None = None) -> Any:
    """A client for whom somebody waits: it gives up soon. It is of the environment's region, if no other is named."""
    return client(service, connect_timeout=2, read_timeout=5, attempts=2, region=region)
