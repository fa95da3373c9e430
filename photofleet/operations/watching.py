"""Long work at a terminal: how far it is, and that Ctrl-C ends it between two photos."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import click

from photofleet.catalog.outdated import Goal, Outcome
from photofleet.operations.refresh import Progress, refresh
from photofleet.operations.relabel import Clearing
from photofleet.operations.text import count

LINE_EVERY_S = 60
INTERRUPTED = 130
"""The exit status of a program that was interrupted, as shells have it."""

S = TypeVar("S", Progress, Clearing)

rate_option = click.option(
    "--rate", type=click.FloatRange(0.1, 1000), default=10, show_default=True, help="The most in a second."
)


@contextmanager
def until_interrupted() -> Iterator[Callable[[], bool]]:
    """For the length of a with block, have Ctrl-C change the answer of a function, and nothing else.

    An exception amid a COMMIT would leave open whether it was done.
    """
    interrupted = threading.Event()
    usual = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        yield interrupted.is_set
    finally:
        signal.signal(signal.SIGINT, usual)


def watch_refresh(goal: Goal, *, rate: float, is_stopped: Callable[[], bool]) -> Progress:
    """Refresh, show how far it is, and say what it has come to; where it was stopped, end the program so."""
    click.echo("Looking for photos to bring up to date.")
    progress = watch(
        refresh(goal, rate=rate, is_stopped=is_stopped, say=say),
        "Photos",
        lambda progress: f"{_so_far(progress)} Under way: {progress.under_way:,}.",
    )
    if is_stopped():
        stop(_so_far(progress))
    click.echo(_so_far(progress) if progress.total else "All photos are up to date.")
    return progress


def watch(steps: Iterator[S], label: str, so_far: Callable[[S], str]) -> S:
    """Show how far something is until it ends: by a bar or, where nobody watches, by a line now and then.

    Args:
        steps: How far it is, again and again; at least once.
        label: What the bar is of.
        so_far: How far it is, in a sentence.

    Returns:
        How far it was in the end.
    """
    watched = sys.stdout.isatty()
    step = next(steps)
    said_at = time.monotonic()
    with click.progressbar(length=step.total, label=label, show_pos=True, hidden=not watched) as bar:
        for step in steps:
            bar.update(step.done - bar.pos)
            if not watched and time.monotonic() > said_at + LINE_EVERY_S:
                said_at = time.monotonic()
                click.echo(so_far(step))
    return step


def say(sentence: str) -> None:
    """Say something while a bar may be shown, which goes on in the next line."""
    if sys.stdout.isatty():
        click.echo()
    click.echo(sentence)


def stop(so_far: str) -> NoReturn:
    """End the program as one that was interrupted, and that can go on."""
    click.echo(f"\nStopped. {so_far} Start it again for the others.")
    sys.exit(INTERRUPTED)


def _so_far(progress: Progress) -> str:
    failed = progress.ended[Outcome.FAILED]
    said = f"{progress.ended[Outcome.REFRESHED]:,} of {count(progress.total, 'photo')} brought up to date"
    if failed:
        said += f"; {failed:,} failed and keep what they had, `photofleet status` says why"
    return f"{said}."
