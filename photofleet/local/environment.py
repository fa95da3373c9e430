"""The environment of the service's processes on one machine."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from photofleet.local.aws import EmbeddedAWS
from photofleet.settings import PREFIX, variable

_SIGN_IN = {variable("database_iam"), variable("database_secret")}


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


def service_environment(aws: EmbeddedAWS, settings: Mapping[str, str], database_url: str) -> dict[str, str]:
    """Return what the service's processes need to know of the local cloud, but not who they are to it.

    `settings` are what the stack tells its instances.
    """
    distribution = urlsplit(settings["PHOTOFLEET_RENDITIONS_URL"]).hostname or ""
    return (
        aws.address()
        # The address of the database has its own password here. What is empty is left to the developer's environment.
        | {name: text for name, text in settings.items() if text and name.startswith(PREFIX) and name not in _SIGN_IN}
        | {
            "PHOTOFLEET_DATABASE_URL": database_url,
            "PHOTOFLEET_RENDITIONS_URL": aws.distribution_address(distribution),
            "PHOTOFLEET_LOG_FORMAT": "text",
            # Another site could point its own name at this machine, and have its pages read and upload photos here.
            "PHOTOFLEET_HOSTS": "127.0.0.1,localhost",
            # One person waits here, not a fleet: soon done with stopping, and soon aware of a message that was lost.
            "PHOTOFLEET_RECEIVE_WAIT": "2",
            "PHOTOFLEET_SWEEP_INTERVAL": "10",
            "PHOTOFLEET_SWEEP_OVERDUE": "200",
        }
    )
