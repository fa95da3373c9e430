"""The end of a boot that went well."""

import http.client
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from ami.boot import BootError
from ami.boot.files import Files, read_variables
from ami.boot.marks import summary
from ami.boot.units import check_target

PORTS = {"web": (8000, 8001)}
"""Where a tier answers requests: pages and, apart from them, uploads."""

PAUSE_S = 0.1


def ready(root: Path, patience: float) -> None:
    """Check that the tier works, signal it, and say how long the boot took.

    Raises:
        BootError: a unit has not started, or the tier does not answer within `patience` seconds.
    """
    files = Files(root)
    part = read_variables(files.boot)
    target = f"photofleet-{part['ROLE']}.target"
    check_target(target)
    deadline = time.monotonic() + patience
    for port in PORTS.get(part["ROLE"], ()):
        while trouble := _trouble(port):
            if time.monotonic() > deadline:
                check_target(target)  # which has more to say, if a unit has ended meanwhile
                raise BootError(f"http://127.0.0.1:{port}/readyz is not ready for {patience:.0f} s: {trouble}.")
            time.sleep(PAUSE_S)
    print(f"Ready {summary(files, part['ROLE'])}.", flush=True)
    if "SIGNAL_STACK" in part:
        _signal(part, files.instance_id.read_text(encoding="ascii"))


def _trouble(port: int) -> str | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return None if status == HTTPStatus.OK else f"it answers with status {status}"


def _signal(part: Mapping[str, str], instance_id: str) -> None:
    """Tell the stack, which waits for the first boots after it was made, and refuses to be told of any other."""
    from botocore.exceptions import BotoCoreError, ClientError

    from ami.boot.calls import signal

    try:
        signal(part["REGION"], part["SIGNAL_STACK"], part["SIGNAL_RESOURCE"], instance_id, "SUCCESS")
    except (BotoCoreError, ClientError) as error:
        print(f"CloudFormation was not told, which matters only if it waits for this: {error}")
