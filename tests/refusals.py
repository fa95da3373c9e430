"""Whether AWS does what it is asked for."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError


def is_allowed(call: Callable[..., Any], **arguments: Any) -> bool:
    """Make a call of a boto3 client; say whether no policy forbids it."""
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "AuthorizationError"):  # the latter is SNS's
            raise
        return False
    return True
