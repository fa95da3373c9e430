"""The Celery application: the same for those who announce photos and for each fleet that works on them."""

from typing import Any

from celery import Celery
from celery.signals import setup_logging
from kombu.entity import Exchange, Queue

from photofleet.catalog.models import STAGES
from photofleet.logs import configure_logging
from photofleet.settings import Settings, get_settings

PHOTO_UPLOADED = "photofleet.photo_uploaded"
"""The one task: each fleet registers it with its own work, and gets its own copy of the message."""

PHOTOS = Exchange("photos", type="fanout")

SOFT_TIME_LIMIT_S = 120
"""After this long a task is told to stop, which counts as a failed attempt."""

TIME_LIMIT_S = 180
"""After this long its process is killed: it hangs where it cannot be told."""

KILOBYTES = 1000
"""In a megabyte: Celery counts memory in the former, the settings in the latter."""

RECYCLED_FROM = 0.75
"""A process that ever took this part of its memory is replaced when its task has ended: it may have leaked."""


def create_app(*imports: str) -> Celery:
    """A Celery application on the queues that the settings name, with the tasks of the given modules."""
    settings = get_settings()
    app = Celery("photofleet", set_as_current=False, control="photofleet.broker.sqs:Control")
    app.conf.update(
        broker_url="sqs://aws",
        broker_transport="photofleet.broker.sqs:Transport",
        broker_transport_options=transport_options(settings),
        broker_connection_retry_on_startup=True,
        imports=("photofleet.broker.control", *imports),
        accept_content=["json"],
        task_serializer="json",
        task_queues=[Queue(stage, Exchange(stage), routing_key=stage) for stage in STAGES],
        task_create_missing_queues=False,
        # Without its type the exchange counts as a direct one, and without `declare` the message would be dropped.
        task_routes={PHOTO_UPLOADED: {"exchange": PHOTOS.name, "exchange_type": PHOTOS.type, "declare": [PHOTOS]}},
        # A message leaves its queue when its work is done, and not before. One whose task raises is buried; one whose
        # process dies or is killed comes again.
        task_acks_late=True,
        task_acks_on_failure_or_timeout=False,
        task_reject_on_worker_lost=True,
        task_soft_time_limit=SOFT_TIME_LIMIT_S,
        task_time_limit=TIME_LIMIT_S,
        # The fleets share the task's id, so a result would be overwritten; results are in the catalog.
        task_ignore_result=True,
        # A broken publisher must answer at once; the sweeper announces again.
        task_publish_retry=False,
        worker_consumer="photofleet.broker.sqs:Consumer",
        worker_prefetch_multiplier=1,
        worker_max_memory_per_child=int(settings.worker_memory * KILOBYTES * RECYCLED_FROM),
        worker_send_task_events=False,
        worker_soft_shutdown_timeout=0,
    )
    return app


def transport_options(settings: Settings) -> dict[str, Any]:
    """What the transport is told: where the queues and the topic are, and how to wait at them."""
    return {
        "queue_urls": {stage: getattr(settings, f"{stage}_queue_url") for stage in STAGES},
        "dead_letter_urls": {stage: getattr(settings, f"{stage}_dead_letter_url") for stage in STAGES},
        "topic_arns": {PHOTOS.name: settings.topic_arn},
        "visibility_timeout": settings.visibility_timeout,
        "wait_time_seconds": settings.receive_wait,
        "first_backoff": settings.retry_backoff,
        "mailbox_prefix": settings.control_prefix,
    }


def _configure_logging(**_: Any) -> None:
    configure_logging(get_settings())


setup_logging.connect(_configure_logging)
