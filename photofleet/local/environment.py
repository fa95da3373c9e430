"""The environment of the service's processes on one machine."""

import os
from collections.abc import Mapping

from photofleet.local.aws import EmbeddedAWS


def keep_to_this_machine() -> None:
    """Have this process and the ones it starts talk to the local cloud directly, and to nothing else.

    A profile or a session token of the developer could send the local service to a real AWS account, their settings of
    PostgreSQL's clients to another database, and a proxy of theirs would be asked for addresses that only this machine
    knows.
    """
    for name in [name for name in os.environ if name.startswith(("AWS_", "PG"))]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,.localhost"


def service_environment(aws: EmbeddedAWS, stacks: Mapping[str, str], database_url: str) -> dict[str, str]:
    """Return what the service's processes need to know of the local cloud, `stacks` being the stacks' outputs."""
    return aws.client_environment() | {
        "PHOTOFLEET_DATABASE_URL": database_url,
        "PHOTOFLEET_TOPIC_ARN": stacks["TopicArn"],
        "PHOTOFLEET_RESIZE_QUEUE_URL": stacks["ResizeQueueUrl"],
        "PHOTOFLEET_RESIZE_DEAD_LETTER_URL": stacks["ResizeDeadLetterUrl"],
        "PHOTOFLEET_LABEL_QUEUE_URL": stacks["LabelQueueUrl"],
        "PHOTOFLEET_LABEL_DEAD_LETTER_URL": stacks["LabelDeadLetterUrl"],
        "PHOTOFLEET_CONTROL_PREFIX": stacks["ControlPrefix"],
        "PHOTOFLEET_ORIGINALS_BUCKET": stacks["OriginalsBucket"],
        "PHOTOFLEET_RENDITIONS_BUCKET": stacks["RenditionsBucket"],
        "PHOTOFLEET_RENDITIONS_URL": aws.distribution_address(stacks["RenditionsDomain"]),
        "PHOTOFLEET_LOG_FORMAT": "text",
        # Another site could point its own name at this machine, and have its pages read and upload photos here.
        "PHOTOFLEET_HOSTS": "127.0.0.1,localhost",
        "PHOTOFLEET_VISIBILITY_TIMEOUT": "60",
        # One person waits here, not a fleet: soon done with stopping, and soon aware of a message that was lost.
        "PHOTOFLEET_RECEIVE_WAIT": "2",
        "PHOTOFLEET_SWEEP_INTERVAL": "10",
        "PHOTOFLEET_SWEEP_OVERDUE": "200",
    }
