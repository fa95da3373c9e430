"""What a supervisor needs to know about one program."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    """Where a service is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    CRASHED = "crashed"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DONE = "done"


@dataclass(frozen=True)
class Service:
    """A program to keep running, or, with `runs_once`, to run to its end before those after it start."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    runs_once: bool = False
    # Ready once it has printed a line that matches, and this is true; neither given, once it has lived for a second.
    ready_line: str | None = None
    is_ready: Callable[[], bool] | None = None
    # Called each time it is ready; returns what the services after it find in their environment.
    when_ready: Callable[[], Mapping[str, str]] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    start_seconds: float = 120.0
    stop_seconds: float = 20.0
