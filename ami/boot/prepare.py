"""All that is checked and written before a unit of ours starts: what can be wrong is found here, in one program."""

import os
import shutil
from pathlib import Path

from ami.boot import BootError
from ami.boot.files import Files, read_variables, write_variables
from ami.boot.instance import Part, ask_instance_id
from ami.boot.marks import mark
from photofleet.settings import PREFIX, Settings, SettingsError, read_settings

LEAST_BYTES = 200_000_000
LEAST_PERCENT = 2

_NETWORK = {"PHOTOFLEET_LABEL_MODEL", "PHOTOFLEET_LABEL_WEIGHTS", "PHOTOFLEET_LABEL_WEIGHTS_SHA256"}


def prepare(root: Path) -> Part:
    """Check the image, the disks, the user data and the settings; write what the units read; return what this is for.

    Raises:
        BootError: this instance cannot serve.
    """
    files = Files(root)
    if not files.baked.exists():
        raise BootError("This image was not baked to its end; bake it again.")
    for disk in files.disks:
        _check_space(disk)
    part = Part.read(files)
    variables = read_variables(files.settings)
    # An image of the label fleet brings those of its network, which count together or not at all.
    image = read_variables(files.image_settings) if files.image_settings.exists() else {}
    if variables.keys() & _NETWORK:
        image = {name: value for name, value in image.items() if name not in _NETWORK}
    variables = image | variables
    settings = _check_settings(variables, files.settings)
    instance_id = ask_instance_id(settings.metadata_url)
    files.marks.unlink(missing_ok=True)
    files.instance_id.write_text(instance_id, encoding="ascii")
    region = {"AWS_REGION": part.region, "AWS_DEFAULT_REGION": part.region}
    ours = {"PHOTOFLEET_LOG_FORMAT": "json"}
    write_variables(files.environment, _for_workers(part) | variables | region | ours)
    _configure_agent(files, part)
    mark(files, "settings")
    os.environ.update(region)
    return part


def _check_space(disk: Path) -> None:
    space = shutil.disk_usage(disk)
    if space.free < LEAST_BYTES or 100 * space.free < LEAST_PERCENT * space.total:
        raise BootError(f"The disk is full: {disk} has {space.free // 10**6:,} MB free of {space.total // 10**6:,} MB.")


def _check_settings(variables: dict[str, str], path: Path) -> Settings:
    if foreign := [name for name in variables if not name.startswith(PREFIX)]:
        raise BootError(f"{path} has {foreign[0]}, which is no setting: those begin with {PREFIX}.")
    os.environ.update(variables)
    try:
        return read_settings()
    except SettingsError as error:
        first, *problems = str(error).splitlines()
        raise BootError(f"{'; '.join(line.strip() for line in problems)} ({first.rstrip('.')})") from None


def _for_workers(part: Part) -> dict[str, str]:
    """What a worker is to know of its machine: how many processes or threads it has room for, and of a GPU."""
    if part.role == "web":
        return {}
    if part.has_gpu:
        return {
            "WORKER_POOL": "threads",
            "WORKER_PROCESSES": str(part.slots),
            # While half of the photos are with the GPU, the other half is fetched and decoded.
            "PHOTOFLEET_LABEL_BATCH": str(max(1, part.slots // 2)),
            # If the GPU did not work, the network would run without it: slowly, and nobody would know.
            "PHOTOFLEET_LABEL_DEVICE": "cuda",
        }
    return {"WORKER_POOL": "prefork", "WORKER_PROCESSES": str(len(os.sched_getaffinity(0)))}


def _configure_agent(files: Files, part: Part) -> None:
    """Tell the CloudWatch agent whose logs and metrics it ships."""
    text = files.agent_template.read_text(encoding="ascii")
    for name, value in (("STACK", part.stack), ("ROLE", part.role), ("LOGS", part.logs), ("REGION", part.region)):
        text = text.replace(f"@{name}@", value)
    files.agent.write_text(text, encoding="ascii")
