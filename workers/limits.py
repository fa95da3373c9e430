"""What every process of a worker is held to that works on photos.

A worker whose pool is of threads is held to nothing: with a GPU, its libraries take address space beyond any measure.
There, the files of strangers are decoded in processes with limits of their own (workers/sandbox).
"""

from typing import Any

from celery.signals import worker_process_init

from photofleet.settings import get_settings
from workers.memory import limit_memory


def _limit(**_: Any) -> None:
    limit_memory(get_settings().worker_memory)


worker_process_init.connect(_limit)
