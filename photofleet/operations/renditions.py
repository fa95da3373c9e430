"""The command `photofleet renditions`."""

import click

from photofleet.catalog.outdated import renditions_of
from photofleet.images.renditions import revision
from photofleet.operations.commands import in_words
from photofleet.operations.refresh import OtherMakerError
from photofleet.operations.watching import rate_option, until_interrupted, watch_refresh
from photofleet.settings import get_settings, variable


@click.group()
def renditions() -> None:
    """Look after the renditions: the pictures that photos are resized to."""


@renditions.command()
@rate_option
@in_words()
def refresh(rate: float) -> None:
    """Have photos resized anew whose renditions another setting has made.

    For when PHOTOFLEET_RENDITIONS has changed and the workers have the new setting. Run it only when no worker of an
    older version is left, as those clean up differently. Newest photos come first. No more are under way at once than
    the workers have done in the last ten seconds, or four if that is more, so that what is uploaded meanwhile waits
    about ten seconds. Until it is resized anew, a photo keeps the renditions that it has. Ctrl-C stops it at any time,
    and loses nothing: started again, it goes on where it was.
    """
    goal = renditions_of(revision(get_settings().rendition_specs))
    try:
        with until_interrupted() as is_stopped:
            watch_refresh(goal, rate=rate, is_stopped=is_stopped)
    except OtherMakerError:
        raise click.ClickException(
            f"A worker has resized a photo with another {variable('renditions')} than this command has, or is of "
            "another version. Start it again when all have the same."
        ) from None
