"""The fleets of the broker benchmark: `celery --app tests.bench.fleet worker`, over our transport or kombu's own.

The application is the service's in both cases, with acks late and its logging; only the way to SQS differs. Kombu's own
transport has here the settings that serve it best, each tried:

- One publish to the topic, as ours: `predefined_exchanges` names it. Queues are found by their names: with
  `predefined_queues`, the acknowledgement of a message from a topic raises, and the worker ends. The workers declare
  their queue as a plain one, or they would subscribe it once more at each start.
- `polling_interval` is how long it looks away after an empty poll, and also whenever its prefetch window is full: at
  the default of one second the processes mostly stand idle, at 0 the main process spins. It is served best by 0.01 s,
  with long polls; what it does with its default is reported beside that.
- Bodies are not coded in base 64, neither by the channel nor by the transport.
- No remote control, which it does not have.
"""

import os
import time

from celery import Celery
from kombu.entity import Exchange, Queue

from photofleet.broker import PHOTO_UPLOADED, create_app
from photofleet.catalog.models import STAGES
from photofleet.settings import get_settings

OURS = "ours"
STOCK = "stock"

BEST_POLLING_INTERVAL_S = 0.01

TASK_S = 0.05


def fleet_app(transport: str, prefetch: int | None = None, polling_interval: float = BEST_POLLING_INTERVAL_S) -> Celery:
    """The service's Celery application over one of the transports.

    Args:
        transport: OURS or STOCK.
        prefetch: The prefetch multiplier; the application's own where it is not given.
        polling_interval: Kombu's, in seconds; ours has none.
    """
    app = create_app()
    if transport == STOCK:
        settings = get_settings()
        app.conf.update(
            broker_url="sqs://",
            broker_transport="sqs",
            broker_transport_options={
                "supports_fanout": True,
                "predefined_exchanges": {"photos": {"arn": settings.topic_arn}},
                "visibility_timeout": settings.visibility_timeout,
                "wait_time_seconds": settings.receive_wait,
                "polling_interval": polling_interval,
                "body_encoding": "utf-8",
                "sqs_base64_encoding": False,
            },
            task_queues=[Queue(name, Exchange(name), routing_key=name) for name in map(queue_name, STAGES)],
            worker_enable_remote_control=False,
        )
    if prefetch:
        app.conf.worker_prefetch_multiplier = prefetch
    return app


def queue_url(stage: str) -> str:
    """Where a stage's queue is."""
    url: str = getattr(get_settings(), f"{stage}_queue_url")
    return url


def queue_name(stage: str) -> str:
    """What a stage's queue is called on AWS."""
    return queue_url(stage).rsplit("/", 1)[-1]


if "BENCH_TRANSPORT" in os.environ:  # a worker
    app = fleet_app(
        os.environ["BENCH_TRANSPORT"],
        int(os.environ["BENCH_PREFETCH"]),
        float(os.environ["BENCH_POLLING_INTERVAL"]),
    )

    @app.task(name=PHOTO_UPLOADED)
    def photo_uploaded(photo_id: str, request_id: str) -> None:
        """Wait; work of its own would hide what the way to the work costs."""
        time.sleep(TASK_S)
