"""The memory that a process of a worker may take: beyond it an allocation fails, and so does that attempt alone."""

import resource
from typing import Any

from celery.signals import worker_process_init

from photofleet.settings import get_settings

MEGABYTE = 1_000_000


def limit_memory(**_: Any) -> None:
    """Have the operating system refuse this process more memory than the settings allow.

    Linux counts with RLIMIT_DATA what a process has for itself and may write to (getrlimit(2)); RLIMIT_AS would count
    the libraries and models that are only mapped, too. Where the machine itself runs out first, its kernel kills the
    process, which is an attempt like one in which it crashed.
    """
    limit = get_settings().worker_memory * MEGABYTE
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


worker_process_init.connect(limit_memory)
