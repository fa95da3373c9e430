"""The end of a boot that went wrong: everybody is told, whatever of that still works."""

import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from textwrap import shorten

from botocore.exceptions import ClientError

from ami.boot import BootError
from ami.boot.calls import signal
from ami.boot.files import Files, read_variables
from photofleet.clients import prompt_client
from photofleet.metadata import Metadata, MetadataError
from photofleet.settings import Settings, variable

LOG_LINES = 100

LONGEST_ID = 64
"""What CloudFormation takes for a signal's UniqueId, the only thing of a signal that a stack's events show."""


def fail(root: Path, reason: str) -> None:
    """Tell CloudFormation, the autoscaling group, the log group and CloudWatch, each on its own, in this order."""
    files = Files(root)
    lines = _said(files)
    if not lines or not lines[-1].endswith(reason):
        print(reason, flush=True)
        lines.append(reason)
    part: dict[str, str] = {}
    with suppress(BootError):
        part = read_variables(files.boot)
    instance_id = _metadata("instance-id")
    region = part.get("REGION") or _metadata("placement/region") or ""
    name = instance_id or socket.gethostname()
    steps: dict[str, Callable[[], None]] = {}
    if {"SIGNAL_STACK", "SIGNAL_RESOURCE"} <= part.keys():
        waiting = (region, part["SIGNAL_STACK"], part["SIGNAL_RESOURCE"])
        steps["CloudFormation"] = partial(_signal, waiting, (_as_id(reason), name))
    if instance_id:
        steps["The autoscaling group"] = partial(_replace, region, instance_id)
    if "LOGS" in part:
        steps["The log group"] = partial(_log, region, part["LOGS"], f"{name}-boot", lines)
    if {"STACK", "ROLE"} <= part.keys():
        steps["CloudWatch"] = partial(_count, region, part["STACK"], part["ROLE"])
    for whom, tell in steps.items():
        try:
            tell()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the others are to be told
            print(f"{whom} could not be told: {error}", flush=True)
        else:
            print(f"{whom} was told.", flush=True)


def _metadata(path: str) -> str | None:
    address = os.environ.get(variable("metadata_url")) or Settings.model_fields["metadata_url"].default
    with suppress(MetadataError):
        return Metadata(address).get(path)
    return None


def _signal(waiting: tuple[str, str, str], unique_ids: tuple[str, ...]) -> None:
    """Signal with the reason as the id, where it is seen; then as AWS documents it, should the other not count."""
    refusals = []
    for unique_id in unique_ids:
        try:
            signal(*waiting, unique_id, "FAILURE")
        except ClientError as error:  # as the first has counted, so that nobody waits for another
            refusals.append(error)
    if len(refusals) == len(unique_ids):
        raise refusals[0]


def _as_id(reason: str) -> str:
    printable = "".join(c if " " <= c <= "~" else "?" for c in reason)
    return shorten(printable, LONGEST_ID, placeholder="...")


def _said(files: Files) -> list[str]:
    """What the boot has said, as far as somebody may want to read it."""
    with suppress(OSError):
        lines = files.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if line.strip()][-LOG_LINES:]
    return []


def _log(region: str, group: str, stream: str, lines: Sequence[str]) -> None:
    logs = prompt_client("logs", region)
    with suppress(logs.exceptions.ResourceAlreadyExistsException):  # of an earlier boot of this instance
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def _count(region: str, stack: str, role: str) -> None:
    dimensions = [{"Name": "Stack", "Value": stack}, {"Name": "Role", "Value": role}]
    metric = {"MetricName": "FailedBoots", "Dimensions": dimensions, "Value": 1, "Unit": "Count"}
    prompt_client("cloudwatch", region).put_metric_data(Namespace="Photofleet", MetricData=[metric])


def _replace(region: str, instance_id: str) -> None:
    prompt_client("autoscaling", region).set_instance_health(
        InstanceId=instance_id, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
    )
