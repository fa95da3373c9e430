"""`python -m workers.drain`."""

import signal
import threading
from pathlib import Path

import click

from photofleet.logs import configure_logging
from photofleet.metadata import Metadata
from photofleet.settings import get_settings
from workers.drain.watch import watch


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--pidfile",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Where the worker notes its process id: what its own --pidfile says, such as /run/photofleet/worker.pid.",
)
@click.option(
    "--hook",
    default="drain",
    show_default=True,
    help="The lifecycle hook of the autoscaling group that holds an instance until its worker has ended.",
)
def main(pidfile: Path, hook: str) -> None:
    """Stop this instance's worker in time when EC2 is going to end the instance.

    Runs until it gets SIGTERM, as the same user as the worker. Where the instance's metadata service is, a setting
    says: PHOTOFLEET_METADATA_URL.
    """
    settings = get_settings()
    configure_logging(settings)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    watch(Metadata(settings.metadata_url), pidfile, hook, stop)


if __name__ == "__main__":
    main(prog_name="python -m workers.drain")
