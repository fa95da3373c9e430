"""Where the files are that the image, the user data and the boot have for each other."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from ami.boot import BootError


class Files:
    """The files of one instance, below `root`."""

    def __init__(self, root: Path) -> None:
        image, configuration, self.run = root / "opt/photofleet", root / "etc/photofleet", root / "run/photofleet"
        self.baked = image / "baked"
        self.image_role = image / "role"
        self.image_settings = image / "label.env"
        self.boot = configuration / "boot.env"
        self.settings = configuration / "settings.env"
        self.environment = self.run / "environment"
        self.instance_id = self.run / "instance-id"
        self.log = self.run / "boot.log"
        self.marks = self.run / "marks"
        self.agent_template = configuration / "cloudwatch-agent.json"
        self.agent = root / "opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.d/photofleet.json"
        self.disks = (root, root / "tmp")


def read_variables(path: Path) -> dict[str, str]:
    """Read lines of NAME=value.

    Raises:
        BootError: the file is missing, or has another line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise BootError(f"{path}, which the instance's user data writes, cannot be read: {problem}.") from None
    for line in lines:
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*=(\S+( \S+)*)?", line):
            raise BootError(f"{path} has a line that is not NAME=value: {line.partition('=')[0]!r}.")
    return dict(line.split("=", 1) for line in lines)


def write_variables(path: Path, variables: Mapping[str, str]) -> None:
    """Write lines that systemd and a shell read alike."""
    path.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items()), encoding="utf-8")
