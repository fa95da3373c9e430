"""Calls to AWS that a boot can wait for."""

from typing import Any

from boto3.session import Session
from botocore.config import Config

# Nothing that a boot tells may keep it from ending.
_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})


def client(service: str, region: str) -> Any:
    """A client that gives up soon."""
    return Session(region_name=region).client(service, config=_CONFIG)


def signal(region: str, stack: str, resource: str, unique_id: str, status: str) -> None:
    """Tell CloudFormation how the boot of one of a resource's instances ended: SUCCESS or FAILURE."""
    client("cloudformation", region).signal_resource(
        StackName=stack, LogicalResourceId=resource, UniqueId=unique_id, Status=status
    )
