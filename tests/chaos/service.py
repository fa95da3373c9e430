"""The local service as `photofleet local up` has it, with more workers, and with the fault proxy before its AWS.

A program: `python -m tests.chaos.service FOLDER PORT AWS_PORT DATABASE_PORT AWS_ADDRESS`; ends at SIGTERM.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from photofleet.catalog.models import STAGES
from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.console import Console
from photofleet.local.environment import keep_to_this_machine
from photofleet.local.fleet import stages
from photofleet.local.postgres import EmbeddedPostgres
from photofleet.local.service import Service
from photofleet.local.state import StateFolder
from photofleet.local.supervisor import ITSELF, Supervisor
from photofleet.settings import variable

VISIBILITY_TIMEOUT_S = 10
WORKERS = {"resize": (1, 2), "label": (1, 1)}
"""The workers of each fleet: how many processes each has."""

SETTINGS = {
    "visibility_timeout": VISIBILITY_TIMEOUT_S,
    "receive_wait": 5,
    "retry_backoff": 0.5,
    "sweep_interval": 2,
    "sweep_overdue": 200,  # the least that there is
}


def chaos_stages(aws: EmbeddedAWS, postgres: EmbeddedPostgres, port: int, address: str) -> Sequence[Sequence[Service]]:
    """The service's programs; those that are clients of AWS find it at `address`."""
    return [
        [made for service in stage for made in _adapt(service, aws, address)] for stage in stages(aws, postgres, port)
    ]


def _adapt(service: Service, aws: EmbeddedAWS, address: str) -> Sequence[Service]:
    if service.name in STAGES:
        return [_worker(service, number, processes) for number, processes in enumerate(WORKERS[service.name], 1)]
    if service.when_ready:
        return [replace(service, when_ready=partial(_prepare, service.when_ready, aws, address))]
    return [service]


def _worker(service: Service, number: int, processes: int) -> Service:
    """One more worker of the fleet, under a name of its own."""
    name = f"{service.name}-{number}"
    assert f"{service.name}@local" in service.command
    return replace(
        service,
        name=name,
        command=[word.replace(f"{service.name}@local", f"{name}@local") for word in service.command]
        + ["--concurrency", str(processes)],
        environment={**service.environment, "CELERY_LOADER": "tests.faulty_decoder:Loader"},
        ready_line=rf"{name}@local ready\.",
    )


def _prepare(launch: Any, aws: EmbeddedAWS, address: str) -> Mapping[str, str]:
    """Launch the stacks, shorten the queues' visibility timeout, and send everyone through the proxy."""
    environment = launch()
    sqs = stacks.client(aws.client_environment(), "sqs")
    for stage in STAGES:
        sqs.set_queue_attributes(
            QueueUrl=environment[variable(f"{stage}_queue_url")],
            Attributes={"VisibilityTimeout": str(VISIBILITY_TIMEOUT_S)},
        )
    changed = {variable(name): str(value) for name, value in SETTINGS.items()}
    return {**environment, **changed, "AWS_ENDPOINT_URL": address}


def main(folder: Path, port: int, aws_port: int, database_port: int, *, address: str) -> None:
    """Run the service until told to stop, its state in `folder`, its AWS found at `address`."""
    keep_to_this_machine()
    state = StateFolder(folder)
    state.prepare()
    aws, postgres = EmbeddedAWS(state.aws, aws_port), EmbeddedPostgres(state.postgres, database_port)
    postgres.initialise()
    services = chaos_stages(aws, postgres, port, address)

    def report(programs: Sequence[Mapping[str, Any]]) -> None:
        state.write_status({"pid": os.getpid(), "address": f"http://127.0.0.1:{port}", "services": programs})

    with state.claimed() as claim, state.log.open("w", encoding="utf-8") as log:
        console = Console(log, [ITSELF, *(service.name for stage in services for service in stage)])
        asyncio.run(Supervisor(services, console.write, report, lambda: None, keep_open=[claim]).run())


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), address=sys.argv[5])
