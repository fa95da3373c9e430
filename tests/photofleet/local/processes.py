"""Watching processes from outside."""

import subprocess
import time
from collections.abc import Callable

import pytest


def is_gone(pid: int) -> bool:
    """Say whether a process has ended, be it collected by its parent or not."""
    shown = subprocess.run(("ps", "-o", "stat=", "-p", str(pid)), capture_output=True, text=True, check=False)
    return shown.stdout.strip() in ("", "Z", "Zs", "Z+")


def eventually(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not so after {seconds} seconds: {condition}")
        time.sleep(0.05)
