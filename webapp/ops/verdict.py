"""What in a status needs a person."""

from collections.abc import Iterator

from photofleet.catalog.progress import FailedPhotos
from photofleet.catalog.stages import GAVE_UP
from photofleet.operations.status import QueueStatus, Status
from photofleet.operations.text import count, duration

SLOW_S = 300.0
"""Longer than a fleet takes to grow."""


def what_needs_someone(status: Status) -> Iterator[str]:
    """A sentence for each thing that does not mend itself."""
    for queue in status.queues:
        if queue.dead_letters:
            letters = count(queue.dead_letters, "message")
            yield f"{letters} in the dead letters of {queue.name}: `photofleet dlq show {queue.name}` says why."
        if queue.oldest_s is not None and is_slow(queue):
            yield f"A photo has waited for {queue.name} for {duration(queue.oldest_s)}."
    for failure in status.failures:
        if is_ours(failure):
            yield f"{count(failure.photos, 'photo')} given up by {failure.stage}."
    if status.workers_error:
        yield f"The workers could not be asked what they do. {status.workers_error}"
    elif not status.workers:
        yield "No worker answers."


def is_slow(queue: QueueStatus) -> bool:
    """Whether a photo has waited for too long."""
    return queue.oldest_s is not None and queue.oldest_s >= SLOW_S


def is_ours(failure: FailedPhotos) -> bool:
    """Whether the service failed. Where a picture cannot be read, its uploader has been told, and that is all."""
    return failure.reason == GAVE_UP
