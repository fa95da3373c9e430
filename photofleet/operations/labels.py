"""The command `photofleet labels`."""

import json
from typing import TextIO

import click

from photofleet.catalog.database import transaction
from photofleet.catalog.judgements import all_corrections
from photofleet.catalog.outdated import labels_of
from photofleet.catalog.photos import get_present_photo
from photofleet.operations.commands import in_words
from photofleet.operations.refresh import OtherMakerError
from photofleet.operations.refresh import refresh as refreshing
from photofleet.operations.relabel import UnknownModelError, clear, count_missing, find_source
from photofleet.operations.text import count
from photofleet.operations.watching import rate_option, stop, until_interrupted, watch
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


@labels.command()
@click.option(
    "--model", metavar="NAME[@VERSION]", help="What the workers run; if not said, what has labelled a photo last."
)
@rate_option
@click.option("--yes", is_flag=True, help="Do not ask whether that one is meant.")
@in_words()
def refresh(model: str | None, rate: float, yes: bool) -> None:
    """Have photos labelled anew that another model has labelled.

    For when the workers have a new model. Newest photos come first. No more are under way at once than the workers
    have done in the last ten seconds, or four if that is more: what is uploaded meanwhile waits for these alone. When
    all are done, and not before, the labels of other models are deleted. What people have added, confirmed or removed
    stays, and a photo that cannot be labelled anew keeps the labels that it has. Ctrl-C stops it at any time, and loses
    nothing: started again, it goes on where it was.
    """
    source = _confirmed(model, yes)
    goal = labels_of(source)
    with until_interrupted() as is_stopped:
        try:
            watch(refreshing(goal, rate=rate, is_stopped=is_stopped), is_stopped)
        except OtherMakerError as error:
            raise click.ClickException(_wrong_model(source, error)) from None
        if missing := count_missing(goal):
            click.echo(
                f"{count(missing, 'photo')} came to be labelled by another model meanwhile: start it again for these. "
                "Until then, the labels of other models stay, too."
            )
            return
        cleared = 0
        for photos in clear(is_stopped=is_stopped):
            cleared += photos
        said = f"The labels of other models are deleted from {count(cleared, 'photo')}."
        if is_stopped():
            stop(said)
        if cleared:
            click.echo(said)


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
