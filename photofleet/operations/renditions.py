"""The command `photofleet renditions`."""

import signal
import sys
import threading
import time
from collections import Counter

import click

from photofleet.catalog.outdated import Outcome
from photofleet.operations.commands import in_words
from photofleet.operations.refresh import OtherSettingError, Progress
from photofleet.operations.refresh import refresh as refreshing
from photofleet.operations.text import count
from photofleet.settings import variable

LINE_EVERY_S = 60
INTERRUPTED = 130
"""The exit status of a program that was interrupted, as shells have it."""


@click.group()
def renditions() -> None:
    """Look after the renditions: the pictures that photos are resized to."""


@renditions.command()
@click.option("--rate", type=click.FloatRange(0.1, 1000), default=10, show_default=True, help="The most in a second.")
@in_words()
def refresh(rate: float) -> None:
    """Have photos resized anew whose renditions another setting has made.

    For when PHOTOFLEET_RENDITIONS has changed and the workers have the new setting. Run it only when no worker of an
    older version is left, as those clean up differently. Newest photos come first. No more are under way at once than
    the workers have done in the last ten seconds, or four if that is more: what is uploaded meanwhile waits for these
    alone. Until it is resized anew, a photo keeps the renditions that it has. Ctrl-C stops it at any time, and loses
    nothing: started again, it goes on where it was.
    """
    progress = Progress(0, Counter(), 0)
    click.echo("Looking for photos to bring up to date.")
    stopped = threading.Event()
    steps = refreshing(rate=rate, is_stopped=stopped.is_set)
    watched = sys.stdout.isatty()
    # An exception amid a COMMIT would leave open whether it was done.
    usual = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        progress = next(steps)
        said_at = time.monotonic()
        with click.progressbar(length=progress.total, label="Photos", show_pos=True, hidden=not watched) as bar:
            for progress in steps:
                bar.update(progress.ended.total() - bar.pos)
                if not watched and time.monotonic() > said_at + LINE_EVERY_S:
                    said_at = time.monotonic()
                    click.echo(f"{_so_far(progress)} Under way: {progress.under_way:,}.")
    except OtherSettingError:
        raise click.ClickException(
            f"A worker has resized a photo with another {variable('renditions')} than this command has, or is of "
            "another version. Start it again when all have the same."
        ) from None
    finally:
        signal.signal(signal.SIGINT, usual)
    if stopped.is_set():
        click.echo(f"\nStopped. {_so_far(progress)} Start it again for the others.")
        sys.exit(INTERRUPTED)
    click.echo(_so_far(progress) if progress.total else "All photos are up to date.")


def _so_far(progress: Progress) -> str:
    failed = progress.ended[Outcome.FAILED]
    said = f"{progress.ended[Outcome.REFRESHED]:,} of {count(progress.total, 'photo')} brought up to date"
    if failed:
        said += f"; {failed:,} failed and keep what they had, `photofleet status` says why"
    return f"{said}."
