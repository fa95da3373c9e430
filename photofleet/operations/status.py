"""How the service stands, for the person on call: its queues, its workers, and what failed.

It needs `sqs:GetQueueAttributes` on the four queues, to read the catalog, and what photofleet.broker.control needs.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from photofleet.broker.app import TIME_LIMIT_S
from photofleet.broker.control import WorkerReport, ask_workers
from photofleet.catalog.database import transaction
from photofleet.catalog.models import STAGES
from photofleet.catalog.progress import FailedPhotos, failed_photos, finished_within, longest_waits
from photofleet.operations.outages import Outage, naming_outages
from photofleet.operations.queues import get_depth
from photofleet.settings import get_settings

RATE_PERIOD = timedelta(minutes=5)

MOST_REASONS = 50


@dataclass(frozen=True)
class QueueStatus:
    """One stage's queue, and how its fleet gets on.

    Attributes:
        name: The stage.
        waiting: Messages that a worker could take, now or after a delay.
        in_flight: Messages that workers hold.
        oldest_s: For how many seconds the photo has waited that has waited longest; None if none waits. It is from
            the catalog: SQS tells the age of its oldest message to CloudWatch only.
        rate_per_minute: Photos finished in this stage, per minute, over the last five minutes.
        dead_letters: Messages in its dead-letter queue, those that somebody looks at included.
    """

    name: str
    waiting: int
    in_flight: int
    oldest_s: float | None
    rate_per_minute: float
    dead_letters: int


@dataclass(frozen=True)
class Status:
    """Everything at one moment; `workers` is None where they were not or could not be asked: `workers_error`."""

    taken_at: datetime
    queues: tuple[QueueStatus, ...]
    failures: tuple[FailedPhotos, ...]
    workers: tuple[WorkerReport, ...] | None
    workers_error: str | None


@naming_outages()
def get_status(*, ask: bool = True, timeout: float = 1.0) -> Status:
    """Look at the queues and into the catalog, and ask the workers what they do.

    Args:
        ask: Whether to ask the workers.
        timeout: For how many seconds their answers are waited for.

    Raises:
        Outage: if the queues or the database do not answer. Workers that cannot be asked are no error.
    """
    taken_at = datetime.now(UTC)
    with transaction() as session:
        waits = longest_waits(session, longest_attempt=timedelta(seconds=TIME_LIMIT_S))
        finished = finished_within(session, RATE_PERIOD)
        failures = failed_photos(session, limit=MOST_REASONS)
    workers, workers_error = _ask(timeout) if ask else (None, None)
    return Status(
        taken_at=taken_at,
        queues=tuple(_queue_status(stage, waits.get(stage), finished.get(stage, 0)) for stage in STAGES),
        failures=tuple(failures),
        workers=workers,
        workers_error=workers_error,
    )


def as_json(status: Status) -> dict[str, Any]:
    """The same as a JSON object, its times as ISO 8601."""
    return {
        **asdict(status),
        "taken_at": status.taken_at.isoformat(),
        "failures": [asdict(failure) | {"latest": failure.latest.isoformat()} for failure in status.failures],
    }


def _queue_status(stage: str, oldest_s: float | None, finished: int) -> QueueStatus:
    settings = get_settings()
    depth = get_depth(getattr(settings, f"{stage}_queue_url"))
    dead = get_depth(getattr(settings, f"{stage}_dead_letter_url"))
    return QueueStatus(
        name=stage,
        waiting=depth.waiting,
        in_flight=depth.in_flight,
        oldest_s=oldest_s,
        rate_per_minute=finished / (RATE_PERIOD / timedelta(minutes=1)),
        dead_letters=dead.waiting + dead.in_flight,
    )


def _ask(timeout: float) -> tuple[tuple[WorkerReport, ...] | None, str | None]:
    try:
        with naming_outages():
            return tuple(ask_workers(timeout)), None
    except Outage as error:
        return None, str(error)
