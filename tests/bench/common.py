"""What the benchmarks share: a cloud of their own, tables, and figures that the next run can be compared with."""

import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.environment import keep_to_this_machine, service_environment
from tests.conftest import running

BUILD = Path(__file__).parents[2] / "build" / "bench"

NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"
"""The settings insist on an address; nothing that is measured asks the catalog."""


@dataclass(frozen=True)
class Cloud:
    """An embedded AWS: the process that it is, and a folder for files, which goes when it does."""

    pid: int
    folder: Path


@contextmanager
def cloud(**settings: object) -> Iterator[Cloud]:
    """Make this process one of a service with an embedded AWS of its own, new and empty.

    Args:
        settings: Variables of the service, without their prefix, that are to differ from those of local mode.
    """
    keep_to_this_machine()
    with TemporaryDirectory() as name:
        folder = Path(name)
        aws = EmbeddedAWS(folder / "aws", unused_port())
        aws.folder.mkdir()
        with running(logged("aws", *aws.command), aws.answers, aws.server_environment()) as process:
            root = aws.client_environment()
            stacks.launch(root, NO_DATABASE)
            os.environ.update(root | service_environment(aws, stacks.settings(root), NO_DATABASE))
            os.environ.update({f"PHOTOFLEET_{name.upper()}": str(value) for name, value in settings.items()})
            yield Cloud(process.pid, folder)


def logged(name: str, *command: str) -> Sequence[str]:
    """A command, with what it says in build/bench/{name}.log, after what is there."""
    BUILD.mkdir(parents=True, exist_ok=True)
    return ("sh", "-c", 'log=$0; exec "$@" >> "$log" 2>&1', str(BUILD / f"{name}.log"), *command)


def unused_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows below a header: the first column on the left, the others on the right."""
    lines = [list(header)] + [
        [f"{cell:,.1f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        first, *rest = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join((line[0].ljust(len(first)), *rest)))


def write_figures(name: str, figures: Mapping[str, float], **of: str) -> None:
    """Write figures to build/bench/{name}.json, rounded to four significant digits, and what they are `of`."""
    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / f"{name}.json"
    rounded = {key: float(f"{value:.4g}") for key, value in figures.items()}
    path.write_text(json.dumps({**of, "figures": rounded}, indent=2) + "\n", encoding="utf-8")
    print(f"\nWritten to {path}")
