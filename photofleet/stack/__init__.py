"""Launching, watching and deleting the CloudFormation stacks, on AWS and on the embedded one alike."""

from collections.abc import Callable
from typing import Any

Clients = Callable[[str], Any]
"""Returns the boto3 client of a service by name, always of the same account and region."""


class StackError(Exception):
    """A stack cannot be launched or deleted, or failed; the message says why, and what to do."""
