"""The commands `photofleet status` and `photofleet dlq`."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import click

from photofleet.catalog.database import transaction
from photofleet.catalog.models import STAGES, Photo
from photofleet.catalog.progress import photos_by_id
from photofleet.operations import redrive as redriving
from photofleet.operations.dead_letters import DeadLetter, DeadLetterQueue
from photofleet.operations.outages import Outage, naming_outages
from photofleet.operations.queues import Depth
from photofleet.operations.report import describe_letter, describe_status, letter_as_json
from photofleet.operations.status import as_json, get_status
from photofleet.operations.text import count, duration, table

LOOKED_AT = 100
"""How many messages of a queue `dlq list` looks at to find the oldest."""

_stage = click.Choice(STAGES)
_stages = click.argument("stages", nargs=-1, type=_stage, help="The stages whose dead-letter queues are meant; all.")


@contextmanager
def in_words() -> Iterator[None]:
    """End a command with a sentence where AWS or the database does not answer: a with block, or a decorator."""
    try:
        with naming_outages():
            yield
    except Outage as error:
        raise click.ClickException(str(error)) from error


@click.command()
@click.option("--json", "for_programs", is_flag=True, help="Print it for programs.")
@in_words()
def status(for_programs: bool) -> None:
    """Show the queues, what the workers do now, and which photos failed for which reason."""
    found = get_status()
    click.echo(json.dumps(as_json(found), indent=2) if for_programs else "\n".join(describe_status(found)))


@click.group()
def dlq() -> None:
    """Look after the dead letters: the messages that the fleets gave up on."""


@dlq.command("list")
@in_words()
def list_() -> None:
    """Count the dead letters of each stage.

    Also says how old the oldest is, of the first hundred.
    """
    rows = [("Queue", "Messages", "Oldest")]
    for stage in STAGES:
        with DeadLetterQueue(stage) as queue:
            depth, letters = queue.get_depth(), queue.look(LOOKED_AT)
        rows.append((stage, str(depth.waiting + depth.in_flight), _oldest(letters)))
    click.echo(table(rows))


@dlq.command()
@_stages
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="The most of each queue.")
@click.option("--json", "for_programs", is_flag=True, help="Print them for programs.")
@in_words()
def show(stages: Sequence[str], limit: int, for_programs: bool) -> None:
    """Show messages, photos and last errors.

    The messages stay where they are.
    """
    found = [(letter, stage) for stage in stages or STAGES for letter in _look(stage, limit)]
    photos = _photos_of([letter for letter, _ in found])
    described = [(letter, stage, _photo_of(letter, photos)) for letter, stage in found]
    if for_programs:
        click.echo(json.dumps([letter_as_json(*one) for one in described], indent=2))
    elif described:
        click.echo("\n\n".join("\n".join(describe_letter(*one)) for one in described))
    else:
        click.echo("There are no dead letters.")


@dlq.command()
@_stages
@click.option("--rate", type=click.FloatRange(0.1, 1000), default=10, show_default=True, help="The most in a second.")
@click.option("--limit", type=click.IntRange(1), help="The most of each queue; all that are there now.")
@click.option("--dry-run", is_flag=True, help="Say what would become of each message, and change nothing.")
@in_words()
def redrive(stages: Sequence[str], rate: float, limit: int | None, dry_run: bool) -> None:
    """Send dead letters back to their fleets.

    For when what they failed at is mended: their stages are opened again for new attempts. Messages of photos to which
    nothing is owed any more are dropped; what is about no photo in the catalog is left. Ctrl-C stops it at any time,
    and loses nothing.
    """
    for stage in stages or STAGES:
        with DeadLetterQueue(stage) as queue:
            depth = queue.get_depth()
            if depth.waiting:
                _redrive(queue, min(depth.waiting, limit or depth.waiting), rate, dry_run)
            else:
                _say_none(stage, depth)


@dlq.command()
@click.argument("stage", type=_stage, help="The stage whose dead-letter queue is emptied.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@in_words()
def purge(stage: str, yes: bool) -> None:
    """Delete the dead letters of a stage."""
    queue = DeadLetterQueue(stage)
    depth = queue.get_depth()
    messages = depth.waiting + depth.in_flight
    if not messages:
        _say_none(stage, depth)
        return
    if not yes:
        click.echo("Photos that were given up stay so; `photofleet retry` has them tried again even without messages.")
        click.confirm(f"Delete {count(messages, 'dead letter')} of {stage}?", abort=True)
    queue.purge()
    click.echo(f"{stage}: {count(messages, 'dead letter')} deleted. SQS may take a minute to be done.")


def _redrive(queue: DeadLetterQueue, most: int, rate: float, dry_run: bool) -> None:
    outcomes: dict[str, redriving.Outcome] = {}
    watched = sys.stdout.isatty() and not dry_run
    try:
        with click.progressbar(length=most, label=queue.stage, hidden=not watched) as bar:
            for letter, outcome in redriving.redrive(queue, most=most, rate=rate, dry_run=dry_run):
                outcomes[letter.id] = outcome
                bar.update(1)
                if not watched:
                    about = f"photo {letter.announcement.photo_id}" if letter.announcement else "not ours"
                    click.echo(f"{queue.stage} {letter.id} ({about}): {'would be ' if dry_run else ''}{outcome}")
    finally:
        counts = Counter(outcomes.values())
        said = "; ".join(f"{counts[outcome]} {outcome}" for outcome in redriving.Outcome if outcome in counts)
        nothing_done = ", in a dry run that changed nothing" if dry_run else ""
        click.echo(f"{queue.stage}{nothing_done}: {said or 'nothing was sent'}.")


def _say_none(stage: str, depth: Depth) -> None:
    held = f", but {depth.in_flight} that somebody looks at or sends back now" if depth.in_flight else ""
    click.echo(f"{stage}: there are no dead letters{held}.")


def _look(stage: str, limit: int) -> list[DeadLetter]:
    with DeadLetterQueue(stage) as queue:
        return queue.look(limit)


def _photos_of(letters: Sequence[DeadLetter]) -> dict[UUID, Photo]:
    with transaction() as session:
        return photos_by_id(session, [letter.announcement.photo_id for letter in letters if letter.announcement])


def _photo_of(letter: DeadLetter, photos: dict[UUID, Photo]) -> Photo | None:
    return photos.get(letter.announcement.photo_id) if letter.announcement else None


def _oldest(letters: Sequence[DeadLetter]) -> str:
    if not letters:
        return "–"
    age = duration((datetime.now(UTC) - letters[0].sent_at).total_seconds())
    return f"at least {age}" if len(letters) == LOOKED_AT else age
