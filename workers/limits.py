"""What every process of a worker is held to."""

from typing import Any

from celery.signals import worker_process_init

from photofleet.settings import get_settings
from workers.memory import limit_memory


def _limit(**_: Any) -> None:
    limit_memory(get_settings().worker_memory)


worker_process_init.connect(_limit)
