"""What CloudFormation says of a stack and of those nested in it."""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

NESTED = "AWS::CloudFormation::Stack"

Stack = Mapping[str, Any]
"""A stack as DescribeStacks describes it."""


def describe(cloudformation: Any, name: str) -> Stack | None:
    """Return what CloudFormation says of a stack, by name or id; None where there is none of that name."""
    try:
        stack: Stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    return stack


def outputs(stack: Stack) -> dict[str, str]:
    """Return the outputs of a described stack."""
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def resources(cloudformation: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the resources of a stack that exist, those of nested stacks not included."""
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
        for resource in page["StackResourceSummaries"]:
            if resource.get("PhysicalResourceId") and resource["ResourceStatus"] != "DELETE_COMPLETE":
                yield resource


def family(cloudformation: Any, name: str, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each stack that is nested in a stack, however deep, and at last the stack itself: its path and its id.

    The path is made of logical ids, such as "StorageStack"; that of the stack itself is empty.
    """
    for resource in resources(cloudformation, name):
        if resource["ResourceType"] == NESTED:
            logical_id = resource["LogicalResourceId"]
            nested = f"{path}/{logical_id}" if path else logical_id
            yield from family(cloudformation, resource["PhysicalResourceId"], nested)
    yield path, name
