"""What an instance is told of itself: its id by its metadata service, its part in the stack by its user data."""

import time
from dataclasses import dataclass
from typing import Self

from ami.boot import BootError
from ami.boot.files import Files, read_variables
from photofleet.metadata import Metadata, MetadataError

ATTEMPTS = 3


@dataclass(frozen=True)
class Part:
    """What an instance is for."""

    stack: str
    role: str
    """The tier: web, resize or label."""
    logs: str
    """The log group."""
    region: str
    slots: int
    """How many photos a worker is to work on at once; 0 in the web tier."""
    has_gpu: bool

    @classmethod
    def read(cls, files: Files) -> Self:
        """Read it from what the user data has written.

        Raises:
            BootError: something is missing, or the image is for another tier.
        """
        found = read_variables(files.boot)
        image = files.image_role.read_text(encoding="ascii").strip()
        if found.get("ROLE") and image.partition("-")[0] != found["ROLE"]:
            raise BootError(f"The instance was started as {found['ROLE']}, but its image is for {image}.")
        needed = ["STACK", "ROLE", "LOGS", "REGION", *(["SLOTS"] if found.get("ROLE") != "web" else [])]
        if missing := [name for name in needed if not found.get(name)]:
            raise BootError(f"{files.boot}, which the instance's user data writes, does not say {missing[0]}.")
        slots = found.get("SLOTS", "0")
        if not slots.isdecimal():
            raise BootError(f"{files.boot} says SLOTS={slots}, which is no number.")
        return cls(found["STACK"], found["ROLE"], found["LOGS"], found["REGION"], int(slots), image.endswith("-gpu"))


def ask_instance_id(address: str) -> str:
    """Ask the metadata service at an address who this instance is.

    Raises:
        BootError: it does not say.
    """
    metadata = Metadata(address)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            found = metadata.get("instance-id")
        except MetadataError as error:
            if attempt == ATTEMPTS:
                raise BootError(
                    f"The metadata service at {address} is of no use: {error}; it has to be enabled, as IMDSv2."
                ) from None
            time.sleep(1)
        else:
            break
    if not found:
        raise BootError(f"The metadata service at {address} knows no instance-id.")
    return found
