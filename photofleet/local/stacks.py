"""Launching CloudFormation stacks: created where they are missing, updated where their template changed."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

TEMPLATES = ("messaging", "storage")
_POLL = {"Delay": 1, "MaxAttempts": 120}


class StackError(Exception):
    """A stack could not be created or updated; the message says which resource was the reason."""


def launch(environment: Mapping[str, str]) -> dict[str, str]:
    """Bring all of Photofleet's stacks up to date on the AWS that `environment` names, and return their outputs.

    Calling it again changes nothing.

    Raises:
        StackError: AWS refused a stack or one of its resources.
    """
    cloudformation = client(environment)
    outputs: dict[str, str] = {}
    for template in TEMPLATES:
        body = files("cloudformation").joinpath(f"{template}.yaml").read_text(encoding="utf-8")
        outputs |= launch_stack(cloudformation, _stack(template), body)
    return outputs


def launched(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the outputs of Photofleet's stacks on the AWS that `environment` names.

    Raises:
        StackError: one of them was not launched.
    """
    cloudformation = client(environment)
    outputs: dict[str, str] = {}
    for template in TEMPLATES:
        outputs |= _outputs(cloudformation, _stack(template))
    return outputs


def _stack(template: str) -> str:
    return f"photofleet-{template}"


def client(environment: Mapping[str, str], service: str = "cloudformation") -> Any:
    """Return a boto3 client of the AWS that `environment` names."""
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        # An AWS on this machine answers at once or is being stopped.
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2),
    )


def launch_stack(cloudformation: Any, stack: str, template: str) -> dict[str, str]:
    """Create the stack, or bring it up to date with the template, and return its outputs.

    Raises:
        StackError: AWS refused the stack or one of its resources.
    """
    request = {"StackName": stack, "TemplateBody": template, "Capabilities": ["CAPABILITY_IAM"]}
    try:
        existing = _describe(cloudformation, stack)
        if existing and existing["StackStatus"] in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"):
            # Such a stack never worked, and can only be deleted.
            cloudformation.delete_stack(StackName=stack)
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig=_POLL)
            existing = None
        if existing:
            cloudformation.update_stack(**request)
            cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig=_POLL)
        else:
            cloudformation.create_stack(**request)
            cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig=_POLL)
    except WaiterError as error:
        raise StackError(f"The stack {stack} failed. {_reasons(cloudformation, stack)}") from error
    except (BotoCoreError, ClientError) as error:
        if "No updates are to be performed" not in str(error):
            raise StackError(f"The stack {stack} was refused. {error}") from error
    return _outputs(cloudformation, stack)


def _outputs(cloudformation: Any, stack: str) -> dict[str, str]:
    described = _describe(cloudformation, stack)
    if described is None:
        raise StackError(f"There is no stack {stack}.")
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _describe(cloudformation: Any, stack: str) -> dict[str, Any] | None:
    try:
        described: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return described


def _reasons(cloudformation: Any, stack: str) -> str:
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    reasons = [
        f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        for event in events
        if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")
    ]
    return "; ".join(reversed(reasons)) or "AWS gives no reason."
