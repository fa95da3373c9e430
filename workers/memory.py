"""The memory that this process may take, as the operating system keeps count of it."""

import math
import re
import resource
from pathlib import Path

MEGABYTE = 1_000_000

_STATUS = Path("/proc/self/status")


def limit_memory(megabytes: int) -> None:
    """Have the operating system refuse this process more memory: an allocation beyond it fails.

    Linux counts with RLIMIT_DATA what a process has for itself and may write to (getrlimit(2)); RLIMIT_AS would count
    the libraries and models that are only mapped, too.
    """
    limit = megabytes * MEGABYTE
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def memory_left() -> float:
    """How many bytes this process may still take; infinity where there is no limit, or none that is known."""
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if limit == resource.RLIM_INFINITY or not _STATUS.exists():
        return math.inf
    found = re.search(r"VmData:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))
    return limit - int(found[1]) * 1024 if found else math.inf
