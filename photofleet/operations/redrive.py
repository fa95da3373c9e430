"""Sending dead letters back to their fleets, once what they failed at is mended."""

import time
from collections.abc import Iterator
from enum import StrEnum
from math import ceil

from photofleet.catalog.database import transaction
from photofleet.catalog.overdue import note_announced
from photofleet.catalog.progress import photos_by_id
from photofleet.catalog.stages import reopen_stage
from photofleet.operations.dead_letters import LOOK_S, DeadLetter, DeadLetterQueue

LONGEST_HOLD_S = 43200
"""SQS hides a message for 12 hours at most."""


class Outcome(StrEnum):
    """What became of a message, or would in a dry run."""

    SENT = "sent back"
    DROPPED = "dropped, as nothing is owed any more"
    LEFT = "left where it is, as it is about no photo in the catalog"


def redrive(
    letters: DeadLetterQueue, *, most: int, rate: float, dry_run: bool = False
) -> Iterator[tuple[DeadLetter, Outcome]]:
    """Send messages back to the queue of their stage, each after its stage was opened again for new attempts.

    A message is dropped if its stage is done, or has failed for good, or its photo was deleted: it would change
    nothing. What is about no photo in the catalog is left. Whoever interrupts this at any moment loses nothing: a
    message leaves the dead-letter queue last.

    Args:
        letters: The dead-letter queue, in its with block.
        most: How many messages are taken; as many as are there at the start, so that what fails again meanwhile is
            not sent round and round.
        rate: How many messages are sent in a second, at most.
        dry_run: Say what would become of each, and change nothing.

    Yields:
        Each message with what became of it; one that comes round again is there again.

    Raises:
        AWS_ERRORS, SQLAlchemyError: what AWS or the database answers instead.
    """
    hide_s = min(LOOK_S + ceil(most / rate), LONGEST_HOLD_S)  # what is left must not come round again in this run
    taken, pause_s = 0, 0.0
    while taken < most and (batch := letters.take(most - taken, hide_s)):
        taken += len(batch)
        for letter in batch:
            time.sleep(pause_s)
            outcome = _open_again(letter, letters.stage, dry_run=dry_run)
            if not dry_run:
                if outcome is Outcome.SENT:
                    letters.send_back(letter)
                elif outcome is Outcome.DROPPED:
                    letters.delete(letter)
            pause_s = 1 / rate if outcome is Outcome.SENT and not dry_run else 0
            yield letter, outcome


def _open_again(letter: DeadLetter, stage: str, *, dry_run: bool) -> Outcome:
    if letter.announcement is None:
        return Outcome.LEFT
    photo_id = letter.announcement.photo_id
    with transaction() as session:
        if not photos_by_id(session, [photo_id]):  # a wrong database must not cost a message
            return Outcome.LEFT
        owed = reopen_stage(session, photo_id, stage)
        if owed:
            note_announced(session, photo_id)  # or the sweeper would announce it, too
        if dry_run:
            session.rollback()
    return Outcome.SENT if owed else Outcome.DROPPED
