"""The commands `photofleet local up`, `down`, `status`, `exec` and `reset`."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from photofleet.clients import AWS_ERRORS
from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.child import ServiceError
from photofleet.local.console import Console
from photofleet.local.environment import keep_to_this_machine, service_environment
from photofleet.local.fleet import stages
from photofleet.local.identities import OPERATOR
from photofleet.local.ports import PortError, check_ports
from photofleet.local.postgres import EmbeddedPostgres, PostgresError
from photofleet.local.secret import private_file
from photofleet.local.service import State
from photofleet.local.state import StateError, StateFolder
from photofleet.local.supervisor import ITSELF, Supervisor
from photofleet.stack import StackError

# A supervisor that was killed leaves a guard, which needs this long at most to clear up.
GUARD_SECONDS = 15.0
STOP_SECONDS = 120.0

_state = click.option(
    "--state",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=".local",
    show_default=True,
    help="The folder that holds photos, database and queues between runs.",
)


def _port(option: str, default: int, meaning: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(option, type=click.IntRange(1, 65535), default=default, show_default=True, help=meaning)


class LocalCommands(click.Group):
    """Says in words, not with a traceback, what is wrong with this machine or the state folder."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (PortError, PostgresError, ServiceError, StackError, StateError, OSError, *AWS_ERRORS) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=LocalCommands)
def local() -> None:
    """Run the whole service on this machine, with an embedded AWS and PostgreSQL."""


@local.command()
@_state
@_port("--port", 8000, "Where the website is served.")
@_port("--aws-port", 4566, "Where the embedded AWS is served.")
@_port("--database-port", 5433, "Where the embedded PostgreSQL is served.")
@click.option("--detach", is_flag=True, help="Return once it is ready, and leave it running in the background.")
def up(folder: Path, port: int, aws_port: int, database_port: int, detach: bool) -> None:
    """Start the service and show what it says; Ctrl-C stops it.

    A program that crashes is started again. What was uploaded is still there at the next start.
    """
    keep_to_this_machine()
    state = StateFolder(folder)
    state.prepare()
    _wait_for_a_killed_one(state)
    if detach:
        _start_in_background(state, port, aws_port, database_port)
        return
    with state.claimed() as claim:
        check_ports({"--port": port, "--aws-port": aws_port, "--database-port": database_port})
        _supervise(state, claim, port, aws_port, database_port)


@local.command()
@_state
def down(folder: Path) -> None:
    """Stop the service that runs on the state folder, and wait until it has stopped."""
    state = StateFolder(folder)
    if not state.is_claimed():
        click.echo(f"Photofleet is not running on {state.path}.")
        return
    click.echo("Stopping Photofleet.")
    found = state.read_status()
    # Where there is none, it was killed, and its guard is stopping the rest.
    if found:
        with suppress(ProcessLookupError):
            os.kill(found["pid"], signal.SIGTERM)
    if not state.wait_until_free(STOP_SECONDS):
        raise click.ClickException(f"Photofleet has not stopped after {STOP_SECONDS:.0f} seconds. See {state.log}.")
    click.echo("Photofleet has stopped.")


@local.command()
@_state
@click.option("--json", "as_json", is_flag=True, help="Print it for programs.")
def status(folder: Path, as_json: bool) -> None:
    """Show every program of the service. Exits with status 0 if all are up, with 1 otherwise."""
    found = StateFolder(folder).read_status()
    everything_up = found is not None and _all_up(found["services"])
    if as_json:
        click.echo(json.dumps({"running": found is not None, "ready": everything_up, **(found or {})}, indent=2))
    elif found is None:
        click.echo(f"Photofleet is not running on {folder}.")
    else:
        _show(found)
    raise SystemExit(0 if everything_up else 1)


@local.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_state
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, help="The program, and its arguments.")
def execute(folder: Path, command: tuple[str, ...]) -> None:
    """Run a program with the settings of the running service, and the permissions of its operators.

    For example `photofleet local exec celery -A workers inspect active`; or a shell, in which everything that is typed
    then finds the service.
    """
    state = StateFolder(folder)
    found = state.read_status()
    ports = {service["name"]: service["port"] for service in found["services"]} if found else {}
    if not ports:
        raise click.ClickException(f"Photofleet is not running on {folder}. Start it with `photofleet local up`.")
    keep_to_this_machine()
    aws, postgres = EmbeddedAWS(state.aws, ports["aws"]), EmbeddedPostgres(state.postgres, ports["postgres"])
    environment = (
        os.environ
        | service_environment(aws, stacks.settings(aws.client_environment()), postgres.url)
        | aws.identities.environment(OPERATOR)
    )
    environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    if not shutil.which(command[0], path=environment["PATH"]):
        raise click.ClickException(f"There is no program {command[0]!r}.")
    os.execvpe(command[0], command, environment)  # noqa: S606 -- no shell, and the words are the user's own


@local.command()
@_state
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(folder: Path, yes: bool) -> None:
    """Delete every photo, label and message of the local service."""
    state = StateFolder(folder)
    if not state.path.exists():
        click.echo(f"There is nothing at {state.path}.")
        return
    if state.is_claimed():
        raise click.ClickException("Photofleet is running. Stop it first with `photofleet local down`.")
    if not yes:
        click.confirm(f"Delete every photo, label and message in {state.path}?", abort=True)
    state.delete()
    click.echo(f"Deleted {state.path}.")


def _supervise(state: StateFolder, claim: int, port: int, aws_port: int, database_port: int) -> None:
    address = f"http://127.0.0.1:{port}"

    def report(children: Sequence[Mapping[str, Any]]) -> None:
        state.write_status({"pid": os.getpid(), "address": address, "services": children})

    report([])
    aws = EmbeddedAWS(state.aws, aws_port)
    postgres = EmbeddedPostgres(state.postgres, database_port)
    if not postgres.exists():
        click.echo("Making the database.")
    postgres.initialise()
    services = stages(aws, postgres, port)
    console = Console(sys.stdout, [ITSELF, *(service.name for stage in services for service in stage)])

    def when_ready() -> None:
        console.write(ITSELF, f"Photofleet is ready at {address} (Ctrl-C stops it).")

    asyncio.run(Supervisor(services, console.write, report, when_ready, keep_open=[claim]).run())


def _start_in_background(state: StateFolder, port: int, aws_port: int, database_port: int) -> None:
    if state.is_claimed():
        with state.claimed():  # for its explanation
            return
    options = ("--state", state.path, "--port", port, "--aws-port", aws_port, "--database-port", database_port)
    with private_file(state.log) as log:
        process = subprocess.Popen(
            (sys.executable, "-m", "photofleet.cli", "local", "up", *map(str, options)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    click.echo(f"Starting Photofleet in the background; its log is {state.log}.")
    try:
        while process.poll() is None:
            found = state.read_status()
            if found and found["pid"] == process.pid and _all_up(found["services"]):
                click.echo(f"Photofleet is ready at {found['address']}. `photofleet local down` stops it.")
                return
            time.sleep(0.2)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    lines = state.log.read_text(encoding="utf-8", errors="replace").splitlines()
    raise click.ClickException("\n".join(("Photofleet did not start. The end of its log:", *lines[-20:])))


def _wait_for_a_killed_one(state: StateFolder) -> None:
    if state.is_claimed() and state.read_status() is None:
        click.echo("An earlier Photofleet was killed; waiting until its programs have ended.")
        state.wait_until_free(GUARD_SECONDS)


def _all_up(services: Sequence[Mapping[str, Any]]) -> bool:
    return bool(services) and all(service["state"] in (State.READY, State.DONE) for service in services)


def _show(found: Mapping[str, Any]) -> None:
    click.echo(found["address"])
    rows: list[tuple[str, ...]] = [("NAME", "PID", "STATE", "SINCE", "RESTARTS", "PORT")]
    for service in found["services"]:
        values = (service[key] for key in ("name", "pid", "state", "since", "restarts", "port"))
        rows.append(tuple("-" if value is None else str(value) for value in values))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
