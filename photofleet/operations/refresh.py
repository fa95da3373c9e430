"""Having photos resized anew whose renditions another setting has made, a few at a time."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from math import ceil
from uuid import UUID

from photofleet.announce import announce_photo
from photofleet.catalog.database import transaction
from photofleet.catalog.outdated import (
    Outcome,
    count_outdated,
    outcomes,
    outdated_photos,
    photos_under_way,
    reopen_outdated,
)
from photofleet.images.renditions import revision as revision_of
from photofleet.operations.outages import Outage
from photofleet.settings import get_settings

UNDER_WAY_S = 10
"""So many seconds' worth of photos may be under way: what is uploaded meanwhile waits behind no more than these."""

LEAST_UNDER_WAY = 4

POLL_S = 1.0


class OtherSettingError(Exception):
    """A worker has resized a photo with another setting than ours, so that the work is in vain."""


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


def refresh(*, rate: float) -> Iterator[Progress]:
    """Have all outdated photos resized anew, newest first, as those are looked at most.

    All that it knows is in the catalog: whoever stops it at any moment can start it again, and it goes on where it
    was. What an earlier refresh, or another one at the same time, has under way counts as its own.

    Args:
        rate: How many photos are announced in a second, at most.

    Yields:
        The progress, again and again, until all photos have ended.

    Raises:
        OtherSettingError: the workers have another setting.
        Outage: the topic takes no message.
        SQLAlchemyError: what the database answers instead.
    """
    revision = revision_of(get_settings().rendition_specs)
    most = max(LEAST_UNDER_WAY, ceil(rate * UNDER_WAY_S))
    with transaction() as session:
        under_way = photos_under_way(session, revision)
        total = len(under_way) + count_outdated(session, revision)
    waiting = chain.from_iterable(_outdated(revision))
    ended: Counter[Outcome] = Counter()
    while True:
        with transaction() as session:
            found = outcomes(session, under_way, revision)
        ended.update(found.values())
        under_way -= found.keys()
        yield Progress(total, ended, len(under_way))
        if Outcome.UNCHANGED in ended:
            raise OtherSettingError
        room = min(most - len(under_way), ceil(rate * POLL_S))
        chosen = list(islice(waiting, max(room, 0)))
        if not chosen:
            if not under_way:
                return
            time.sleep(POLL_S)
        for photo_id in chosen:
            under_way.add(photo_id)
            if _reopen(photo_id, revision):
                time.sleep(1 / rate)


def _outdated(revision: str) -> Iterator[Sequence[UUID]]:
    before: UUID | None = None
    while True:
        with transaction() as session:
            span = outdated_photos(session, revision, before=before)
        yield span.photo_ids
        before = span.next_before
        if before is None:
            return


def _reopen(photo_id: UUID, revision: str) -> bool:
    """Open a photo again and announce it, both or neither, unless another refresh has done so."""
    with transaction() as session:
        photo = reopen_outdated(session, photo_id, revision)
        if photo is None:
            return False
        # A worker that is faster than our commit waits for it. If there is none, it finds nothing to do.
        if not announce_photo(photo.id, photo.request_id):
            raise Outage("AWS does not take messages about photos.")
    return True
