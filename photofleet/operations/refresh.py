"""Having photos worked on anew that another setting or model has worked on, a few at a time."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from math import ceil
from uuid import UUID

from photofleet.announce import NotAnnouncedError, announce_to_stage
from photofleet.catalog.database import transaction
from photofleet.catalog.outdated import (
    Goal,
    Outcome,
    count_outdated,
    outcomes,
    outdated_photos,
    photos_under_way,
    reopen_outdated,
)
from photofleet.operations.outages import Outage

UNDER_WAY_S = 10
"""No more are under way than ended in the last so many seconds: for about so long, what is uploaded waits for them."""

LEAST_UNDER_WAY = 4
"""So many may be under way in any case, or there would be no beginning."""

POLL_S = 1.0
"""What became of them is looked at once in so many seconds."""


class OtherMakerError(Exception):
    """A worker was done with a photo that has another setting or model than the goal's: the work is in vain."""

    def __init__(self, photo_id: UUID) -> None:
        """Take the photo."""
        super().__init__(photo_id)
        self.photo_id = photo_id


@dataclass(frozen=True)
class Progress:
    """How far a refresh has come.

    Attributes:
        total: The photos that were outdated when it began, those that were under way already included.
        ended: What became of how many.
        under_way: How many the workers have now.
    """

    total: int
    ended: Counter[Outcome]
    under_way: int


def refresh(goal: Goal, *, rate: float, is_stopped: Callable[[], bool] = lambda: False) -> Iterator[Progress]:
    """Have all outdated photos worked on anew, newest first, as those are looked at most.

    All that it knows is in the catalog: whoever stops it at any moment can start it again, and it goes on where it
    was. What an earlier refresh, or another one at the same time, has under way counts as its own.

    Args:
        goal: What the photos are to be brought to.
        rate: How many photos are sent to the workers in a second, at most.
        is_stopped: Whether to leave the rest; asked between one photo and the next.

    Yields:
        The progress, again and again, until all photos have ended.

    Raises:
        OtherMakerError: the workers have another setting or model.
        Outage: AWS takes no message.
        SQLAlchemyError: what the database answers instead.
    """
    with transaction() as session:
        under_way = photos_under_way(session, goal)
        total = len(under_way) + count_outdated(session, goal)
    waiting = chain.from_iterable(_outdated(goal))
    ended: Counter[Outcome] = Counter()
    ended_at: deque[float] = deque()  # the latest, one time for each photo
    while True:
        looked_at = time.monotonic()
        with transaction() as session:
            found = outcomes(session, under_way, goal)
        ended.update(found.values())
        under_way -= found.keys()
        yield Progress(total, ended, len(under_way))
        for photo_id, outcome in found.items():
            if outcome is Outcome.UNCHANGED:
                raise OtherMakerError(photo_id)
        ended_at.extend(looked_at for _ in found)
        while ended_at and ended_at[0] <= looked_at - UNDER_WAY_S:
            ended_at.popleft()
        room = min(max(LEAST_UNDER_WAY, len(ended_at)) - len(under_way), ceil(rate * POLL_S))
        chosen = list(islice(waiting, max(room, 0)))
        if is_stopped() or (not chosen and not under_way):
            return
        for photo_id in chosen:
            if is_stopped():
                return
            under_way.add(photo_id)
            if _reopen(photo_id, goal):
                time.sleep(1 / rate)
        time.sleep(max(0, looked_at + POLL_S - time.monotonic()))


def _outdated(goal: Goal) -> Iterator[Sequence[UUID]]:
    before: UUID | None = None
    while True:
        with transaction() as session:
            span = outdated_photos(session, goal, before=before)
        yield span.photo_ids
        before = span.next_before
        if before is None:
            return


def _reopen(photo_id: UUID, goal: Goal) -> bool:
    """Open a photo again and tell the stage's fleet, both or neither, unless another refresh has done so."""
    with transaction() as session:
        photo = reopen_outdated(session, photo_id, goal)
        if photo is None:
            return False
        # A worker that is faster than our commit waits for it. If there is none, it finds nothing to do.
        try:
            announce_to_stage(photo.id, photo.request_id, goal.stage)
        except NotAnnouncedError as error:
            raise Outage(f"AWS does not take messages about photos: {error}") from error
    return True
