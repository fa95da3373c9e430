"""The memory that this process may take, as the operating system keeps count of it."""

import mmap
import resource

MEGABYTE = 1_000_000


def limit_memory(megabytes: int) -> None:
    """Have the operating system refuse this process more memory: an allocation beyond it fails.

    Linux counts with RLIMIT_DATA what a process has for itself and may write to (getrlimit(2)); RLIMIT_AS would count
    the libraries and models that are only mapped, too.
    """
    limit = megabytes * MEGABYTE
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def has_memory(size: int) -> bool:
    """Whether this process may take so many more bytes: the operating system is asked for them, and gets them back."""
    try:
        mmap.mmap(-1, max(1, size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        return False
    return True
