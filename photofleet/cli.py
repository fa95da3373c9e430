"""The `photofleet` command."""

import os
import signal
import sys
import threading
from importlib.metadata import entry_points

import click

from photofleet.local.commands import local
from photofleet.logs import configure_logging
from photofleet.operations.commands import dlq, status
from photofleet.operations.labels import labels
from photofleet.operations.outages import Outage, naming_outages
from photofleet.operations.renditions import renditions
from photofleet.settings import Settings, get_settings, variable
from photofleet.stack.commands import stack


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="photofleet")
def main() -> None:
    """Photofleet: upload photos at once, resize and label them later, find them by what is in them."""


main.add_command(local)
main.add_command(status)
main.add_command(dlq)
main.add_command(labels)
main.add_command(renditions)
main.add_command(stack)
for _command in entry_points(group="photofleet.commands"):  # of the parts that this one does not know
    main.add_command(_command.load())


@main.command()
def settings() -> None:
    """Print every setting: its value, where that comes from, and what it is for. Secrets are hidden."""
    values = get_settings()
    for name, field in Settings.model_fields.items():
        source = "environment" if os.environ.get(variable(name)) else "default"
        click.echo(f"{click.style(variable(name), bold=True)} = {getattr(values, name)}  ({source})")
        click.echo(f"    {field.description}")


@main.command()
def migrate() -> None:
    """Bring the database's schema and taxonomy up to this version. Safe to run from many machines at once.

    It signs in as the user of PHOTOFLEET_DATABASE_SECRET, if that is set. With PHOTOFLEET_DATABASE_IAM, it also makes
    the users photofleet_web and photofleet_worker, and gives them their rights.
    """
    from photofleet.catalog.database import get_owner_engine
    from photofleet.catalog.migrate import migrate as run_migrations

    configure_logging(get_settings())
    try:
        with naming_outages():
            run_migrations(get_owner_engine(), with_roles=get_settings().database_iam)
    except Outage as error:
        raise click.ClickException(str(error)) from error
    click.echo("The database is up to date.")


@main.command()
@click.option("--once", is_flag=True, help="Sweep once and say how many photos were announced, instead of for ever.")
def sweep(once: bool) -> None:
    """Announce again the photos whose work is overdue. Any number of machines may do so at once.

    For ever, it also logs the numbers of `photofleet status` as CloudWatch metrics once a minute, and deletes the
    mailboxes of workers that have gone.
    """
    from photofleet.housekeeping import keep_house
    from photofleet.sweeper import sweep as sweep_once

    configure_logging(get_settings())
    if once:
        click.echo(f"{sweep_once()} photos announced again.")
        return
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    keep_house(stop)


@main.command()
def retry() -> None:
    """Try again the photos that were given up, once what kept them from being processed is mended."""
    from photofleet.catalog.database import transaction
    from photofleet.catalog.stages import reopen_failed

    configure_logging(get_settings())
    with transaction() as session:
        photos = reopen_failed(session)
    click.echo(f"Photos to be tried again: {photos}. The sweeper announces them within a minute or two.")


if __name__ == "__main__":
    sys.exit(main())
