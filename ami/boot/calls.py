"""What both ends of a boot tell CloudFormation."""

from photofleet.clients import prompt_client


def signal(region: str, stack: str, resource: str, unique_id: str, status: str) -> None:
    """Tell CloudFormation how the boot of one of a resource's instances ended: SUCCESS or FAILURE."""
    prompt_client("cloudformation", region).signal_resource(
        StackName=stack, LogicalResourceId=resource, UniqueId=unique_id, Status=status
    )
