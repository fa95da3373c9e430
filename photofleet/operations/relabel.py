"""Having all photos labelled by one model: which one is meant, and clearing away what others have found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from photofleet.catalog import superseded
from photofleet.catalog.database import transaction
from photofleet.catalog.outdated import Goal, count_outdated, last_source, photos_under_way
from photofleet.catalog.superseded import Cleared, count_photos, delete_superseded
from photofleet.operations.outages import wait_out


class UnknownModelError(Exception):
    """No photo says which version of a model is meant; the message says what to do."""


def find_source(model: str | None) -> str:
    """The model and version that are meant by a name, by a name with a version, or by nothing.

    This program has no model itself, and believes what is said. Where the version is not, it is the one that has
    labelled a photo last: as the workers label what is uploaded, that is the one that they run.

    Raises:
        UnknownModelError: no photo was labelled by that model yet.
    """
    if model and "@" in model:
        return model
    with transaction() as session:
        source = last_source(session, name=model)
    if source is None:
        by = f"by {model}" if model else "by a model that says its version"
        raise UnknownModelError(
            f"No photo was labelled {by} yet. Name it with its version, as NAME@VERSION: `photofleet models list` "
            "shows it where the workers run."
        )
    return source


def count_missing(goal: Goal) -> int:
    """How many photos miss the goal, or are under way to it; photos that failed do not count."""
    with transaction() as session:
        return len(photos_under_way(session, goal)) + count_outdated(session, goal)


@dataclass(frozen=True)
class Clearing:
    """How far the deletion of what other models have found has come.

    Attributes:
        total: The photos there are.
        done: Those that it has gone through.
        cleared: Those of them that had anything of another model.
    """

    total: int
    done: int
    cleared: int


def clear(*, is_stopped: Callable[[], bool] = lambda: False, say: Callable[[str], None] = print) -> Iterator[Clearing]:
    """Delete what other models have found than the last one of each photo, the newest photos first.

    Any number may do so at once. Who is stopped goes on where it was, as what is deleted is gone. Where the database
    does not answer, it waits.

    Args:
        is_stopped: Whether to leave the rest; asked between spans of photos.
        say: Tells people what is waited for.

    Yields:
        How far it is: in the beginning, and after each span.
    """
    with transaction() as session:
        total = count_photos(session)
    done = cleared = 0
    yield Clearing(total, done, cleared)
    before: UUID | None = None
    while not is_stopped():
        span = wait_out(partial(_clear_before, before), say=say, is_stopped=is_stopped)
        before = span.next_before
        done = min(done + superseded.SPAN, total) if before else total
        cleared += span.photos
        yield Clearing(total, done, cleared)
        if before is None:
            return


def _clear_before(before: UUID | None) -> Cleared:
    with transaction() as session:
        return delete_superseded(session, before=before)
