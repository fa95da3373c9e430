"""Watching processes from outside."""

import time
from collections.abc import Callable

import psutil
import pytest


def is_gone(pid: int) -> bool:
    """Say whether a process has ended, be it collected by its parent or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def eventually(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not so after {seconds} seconds: {condition}")
        time.sleep(0.05)
