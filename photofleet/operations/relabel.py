"""Having all photos labelled by one model: which one is meant, and clearing away what others have found."""

from collections.abc import Callable, Iterator
from uuid import UUID

from photofleet.catalog.database import transaction
from photofleet.catalog.outdated import Goal, count_outdated, last_source, photos_under_way
from photofleet.catalog.superseded import delete_superseded


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
    """How many photos another model has labelled last, those under way included; photos that failed do not count."""
    with transaction() as session:
        return len(photos_under_way(session, goal)) + count_outdated(session, goal)


def clear(*, is_stopped: Callable[[], bool] = lambda: False) -> Iterator[int]:
    """Delete what other models have found than the last one of each photo, and say of how many photos that was.

    Any number may do so at once. Who is stopped goes on where it was, as what is deleted is gone.

    Args:
        is_stopped: Whether to leave the rest; asked between spans of photos.

    Yields:
        How many photos of a span had anything of another model.
    """
    before: UUID | None = None
    while not is_stopped():
        with transaction() as session:
            cleared = delete_superseded(session, before=before)
        yield cleared.photos
        before = cleared.next_before
        if before is None:
            return
