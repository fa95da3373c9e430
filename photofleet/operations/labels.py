"""The command `photofleet labels`."""

import json
from datetime import UTC, datetime
from typing import TextIO

import click

from photofleet.catalog.database import transaction
from photofleet.catalog.judgements import all_corrections
from photofleet.catalog.outdated import Outcome, labels_of
from photofleet.catalog.photos import get_present_photo
from photofleet.operations.commands import in_words
from photofleet.operations.refresh import OtherMakerError
from photofleet.operations.relabel import Clearing, UnknownModelError, clear, count_missing, find_source
from photofleet.operations.text import count
from photofleet.operations.watching import rate_option, say, stop, until_interrupted, watch, watch_refresh
from photofleet.storage import original_key


@click.group()
def labels() -> None:
    """Look after the labels: what photos show."""


@labels.command()
@click.option(
    "--output",
    type=click.File("w", encoding="utf-8", lazy=True, atomic=True),
    default="-",
    help="The file to write; standard output without it.",
)
@in_words()
def export(output: TextIO) -> None:
    """Print what people have said of labels as a training set, as JSON Lines.

    A line is a photo, the key of its original in the bucket, a label, what was said of it (added, confirmed or
    removed), when, and what a model had said (its source and confidence), if it had. The oldest photos come first, so
    that two exports can be compared line by line. Photos that were deleted are left out.
    """
    with transaction() as session:
        for correction, label in all_corrections(session):
            line = {
                "photo": str(correction.photo_id),
                "original": original_key(correction.photo_id),
                "label": correction.label_id,
                "name": label.name,
                "verdict": correction.verdict,
                "source": correction.source,
                "confidence": correction.confidence,
                "at": correction.at.isoformat(),
            }
            output.write(json.dumps(line, ensure_ascii=False) + "\n")


def _moment(_: click.Context, parameter: click.Parameter, value: datetime | None) -> datetime | None:
    """A time in UTC, which has to have passed."""
    moment = value and value.replace(tzinfo=UTC)
    if moment and moment > datetime.now(UTC):
        raise click.BadParameter("This time is still to come.", param=parameter)
    return moment


@labels.command()
@click.option(
    "--model", metavar="NAME[@VERSION]", help="What the workers run; if not said, what has labelled a photo last."
)
@click.option(
    "--again-before",
    metavar="TIME",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    callback=_moment,
    help="Do those anew, too, that it has labelled before this time (UTC), as 2026-11-22 or 2026-11-22T18:30.",
)
@rate_option
@click.option("--yes", is_flag=True, help="Do not ask whether that one is meant.")
@in_words()
def refresh(model: str | None, again_before: datetime | None, rate: float, yes: bool) -> None:
    """Have photos labelled anew that another model has labelled.

    For when the workers have a new model or, with --again-before, make other labels of what the same one says: name the
    time at which the last of them had changed. Newest photos come first. No more are under way at once than the workers
    have done in the last ten seconds, or four if that is more, so that what is uploaded meanwhile waits about ten
    seconds. When all are done, and not before, the labels of other models are deleted. What people have added,
    confirmed or removed stays, and a photo that cannot be labelled anew keeps the labels that it has. Ctrl-C stops it
    at any time, and loses nothing: started again in the same words, it goes on where it was.
    """
    source = _confirmed(model, yes)
    goal = labels_of(source, before=again_before)
    with until_interrupted() as is_stopped:
        try:
            progress = watch_refresh(goal, rate=rate, is_stopped=is_stopped)
        except OtherMakerError as error:
            raise click.ClickException(_wrong_model(source, error)) from None
        if missing := count_missing(goal):
            click.echo(
                f"{count(missing, 'photo')} came to be labelled by another model meanwhile: start it again for these. "
                "Until then, the labels of other models stay, too."
            )
            return
        clearing = watch(
            clear(is_stopped=is_stopped, say=say),
            "Clearing",
            lambda step: f"{_so_far(step)} Gone through: {step.done:,} of {count(step.total, 'photo')}.",
        )
        if is_stopped():
            stop(_so_far(clearing))
    if clearing.cleared:
        click.echo(_so_far(clearing))
    if progress.ended[Outcome.FAILED]:
        click.echo(
            "After `photofleet retry`, run this again for the photos that failed: their older labels are deleted then."
        )


def _so_far(clearing: Clearing) -> str:
    return f"The labels of other models are deleted from {count(clearing.cleared, 'photo')}."


def _confirmed(model: str | None, yes: bool) -> str:
    """The model and version that are meant, which are asked about if they were not said."""
    try:
        source = find_source(model)
    except UnknownModelError as error:
        raise click.ClickException(str(error)) from None
    if source != model:
        click.echo(f"The last photo was labelled by {source}.")
        if not yes:
            click.confirm("Have all photos labelled by it?", abort=True)
    return source


def _wrong_model(wanted: str, error: OtherMakerError) -> str:
    with transaction() as session:
        photo = get_present_photo(session, error.photo_id)
    found = (photo and photo.labels_source) or "a model that does not say its version"
    return (
        f"A worker has labelled a photo with {found}, and not with {wanted}. Start it again when all workers have the "
        "model that you mean, or with --model for the one that they have."
    )
