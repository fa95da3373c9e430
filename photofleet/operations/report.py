"""What `photofleet status` and `photofleet dlq show` print: for people, and for programs."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from photofleet.broker.control import WorkerReport
from photofleet.catalog.models import Photo, Stage
from photofleet.catalog.progress import FailedPhotos
from photofleet.operations.dead_letters import DeadLetter
from photofleet.operations.status import Status
from photofleet.operations.text import count, duration, printable, table


def describe_status(status: Status) -> Iterator[str]:
    """The status as lines: queues, workers, failures."""
    rows = [("Queue", "Waiting", "In flight", "Oldest", "Done/min", "Dead letters")]
    rows += [
        (
            queue.name,
            str(queue.waiting),
            str(queue.in_flight),
            "–" if queue.oldest_s is None else duration(queue.oldest_s),
            f"{queue.rate_per_minute:.1f}",
            str(queue.dead_letters),
        )
        for queue in status.queues
    ]
    yield table(rows)
    yield ""
    yield from _describe_workers(status)
    yield ""
    yield from _describe_failures(status)


def _describe_workers(status: Status) -> Iterator[str]:
    if status.workers is None:
        yield f"The workers could not be asked. {printable(status.workers_error or '')}"
    elif not status.workers:
        yield "No worker answered."
    else:
        yield "Workers"
        for worker in status.workers:
            yield from _describe_worker(worker)


def _describe_worker(worker: WorkerReport) -> Iterator[str]:
    yield f"  {printable(worker.name)}: {len(worker.tasks)} of {worker.processes} busy"
    for task in worker.tasks:
        about = task.name if task.photo_id is None else f"photo {task.photo_id}"
        yield f"    {printable(about)}, for {duration(task.running_s)}"


def _describe_failures(status: Status) -> Iterator[str]:
    if not status.failures:
        yield "No photo has failed."
        return
    yield "Failures"
    for failure in status.failures:
        yield from _describe_failure(failure, status.taken_at)


def _describe_failure(failure: FailedPhotos, now: datetime) -> Iterator[str]:
    latest = duration((now - failure.latest).total_seconds())
    yield f"  {failure.stage}: {count(failure.photos, 'photo')}, the last {latest} ago: {printable(failure.reason)}"
    if failure.last_error:
        yield f"    {printable(failure.last_error)}"


def describe_letter(letter: DeadLetter, stage: str, photo: Photo | None) -> Iterator[str]:
    """A dead letter and the photo that it is about, as lines."""
    yield f"{stage} {letter.id}: sent at {_at(letter.sent_at)}, received {count(letter.receive_count, 'time')}"
    if letter.announcement is None:
        yield f"  not a message of ours: {printable(letter.body)}"
        return
    said = letter.announcement
    yield f"  {said.task}  photo {said.photo_id}  request {printable(said.request_id)}"
    if photo is None:
        yield "  The catalog knows no such photo."
        return
    deleted = "" if photo.deleted_at is None else f", deleted at {_at(photo.deleted_at)}"
    yield f"  {printable(photo.filename)}, uploaded at {_at(photo.uploaded_at)}{deleted}"
    for found in _stages(photo, stage):
        yield f"  {stage}: {found.state}, attempts: {found.attempts}"
        for error in filter(None, (found.error, found.last_error)):
            yield f"    {printable(error)}"


def letter_as_json(letter: DeadLetter, stage: str, photo: Photo | None) -> dict[str, Any]:
    """A dead letter and the photo that it is about, as a JSON object; times as ISO 8601."""
    said = letter.announcement
    return {
        "queue": stage,
        "id": letter.id,
        "sent_at": letter.sent_at.isoformat(),
        "receive_count": letter.receive_count,
        "body": letter.body,
        "task": said and said.task,
        "photo_id": said and str(said.photo_id),
        "request_id": said and said.request_id,
        "photo": photo and _photo_as_json(photo, stage),
    }


def _photo_as_json(photo: Photo, stage: str) -> dict[str, Any]:
    return {
        "filename": photo.filename,
        "uploaded_at": photo.uploaded_at.isoformat(),
        "deleted_at": photo.deleted_at and photo.deleted_at.isoformat(),
        "stages": [
            {"state": found.state, "attempts": found.attempts, "error": found.error, "last_error": found.last_error}
            for found in _stages(photo, stage)
        ],
    }


def _stages(photo: Photo, name: str) -> list[Stage]:
    return [stage for stage in photo.stages if stage.name == name]


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
