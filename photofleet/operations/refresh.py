"""Having photos worked on anew that another setting or model has worked on, a few at a time."""

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import ceil
from typing import TypeVar
from uuid import UUID

from photofleet.announce import NotAnnouncedError, announce_to_stage
from photofleet.catalog.database import transaction
from photofleet.catalog.outdated import (
    Goal,
    Outcome,
    Span,
    count_outdated,
    outcomes,
    outdated_photos,
    photos_under_way,
    reopen_outdated,
)
from photofleet.operations.outages import Outage, wait_out

T = TypeVar("T")

UNDER_WAY_S = 10
"""No more are under way than a refresh has had done in the last so many seconds: for about so long, what is uploaded
waits for them."""

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

    @property
    def done(self) -> int:
        """How many have ended, whatever became of them."""
        return self.ended.total()


def refresh(
    goal: Goal,
    *,
    rate: float,
    is_stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = print,
) -> Iterator[Progress]:
    """Have all outdated photos worked on anew, newest first, as those are looked at most.

    All that it knows is in the catalog: whoever stops it at any moment can start it again, and it goes on where it
    was. What an earlier refresh, or another one at the same time, has under way counts as its own. Once a photo has
    ended, which shows that all is set up as it should be, it waits for the end of whatever outage comes.

    Args:
        goal: What the photos are to be brought to.
        rate: How many photos are sent to the workers in a second, at most.
        is_stopped: Whether to leave the rest; asked between one photo and the next.
        say: Tells people what is waited for.

    Yields:
        The progress, again and again, until all photos have ended.

    Raises:
        OtherMakerError: the workers have another setting or model.
        Outage: AWS takes no message, or the database does not answer, and no photo has ended yet, or it was stopped.
        SQLAlchemyError: what the database answers instead in the beginning.
    """

    def patiently(work: Callable[[], T]) -> T:
        return wait_out(work, say=say, is_stopped=is_stopped)

    with transaction() as session:
        under_way = photos_under_way(session, goal)
        total = len(under_way) + count_outdated(session, goal)
    waiting = _outdated(goal, patiently)
    opened: set[UUID] = set()  # by us: photos that another refresh has done do not say how much the fleet can do for us
    ended: Counter[Outcome] = Counter()
    ended_at: deque[float] = deque()  # the latest of those, one time for each photo
    while True:
        looked_at = time.monotonic()
        found = patiently(partial(_outcomes, under_way, goal))
        ended.update(found.values())
        under_way -= found.keys()
        yield Progress(total, ended, len(under_way))
        for photo_id, outcome in found.items():
            if outcome is Outcome.UNCHANGED:
                raise OtherMakerError(photo_id)
        ended_at.extend(looked_at for _ in opened & found.keys())
        opened -= found.keys()
        while ended_at and ended_at[0] <= looked_at - UNDER_WAY_S:
            ended_at.popleft()
        room = min(max(LEAST_UNDER_WAY, len(ended_at)) - len(under_way), ceil(rate * POLL_S))
        chosen = list(islice(waiting, max(room, 0)))
        if is_stopped() or (not chosen and not under_way):
            return
        for photo_id in chosen:
            if is_stopped():
                return
            reopen = partial(_reopen, photo_id, goal)
            is_ours = patiently(reopen) if ended else reopen()
            under_way.add(photo_id)
            if is_ours:
                opened.add(photo_id)
                time.sleep(1 / rate)
        time.sleep(max(0, looked_at + POLL_S - time.monotonic()))


def _outcomes(photo_ids: Collection[UUID], goal: Goal) -> dict[UUID, Outcome]:
    with transaction() as session:
        return outcomes(session, photo_ids, goal)


def _outdated(goal: Goal, patiently: Callable[[Callable[[], Span]], Span]) -> Iterator[UUID]:
    before: UUID | None = None
    while True:
        span = patiently(partial(_outdated_before, before, goal))
        yield from span.photo_ids
        before = span.next_before
        if before is None:
            return


def _outdated_before(before: UUID | None, goal: Goal) -> Span:
    with transaction() as session:
        return outdated_photos(session, goal, before=before)


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
