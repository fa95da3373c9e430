"""A Celery loader with which some pictures break the worker that works on them.

`CELERY_LOADER=tests.faulty_decoder:Loader` is Celery's own hook, so that the workers stay those of the service; only
what decodes uploaded files has faults. Fleets decode these in a sandbox, which such pictures could not leave; here they
break the process that starts it.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import IO, Any

from celery.loaders.app import AppLoader

_DECODERS = (("workers.resize.tasks", "render"), ("workers.label.pictures", "read_squares_of_stranger"))


class Fault(Enum):
    """What a picture does to its decoder, by the comment in the JPEG, right behind its first marker."""

    CRASH = b"\xff\xfe\x00\x08poison"
    HANG = b"\xff\xfe\x00\x08hangup"
    FILL_MEMORY = b"\xff\xfe\x00\x08memory"

    def put_into(self, jpeg: bytes) -> bytes:
        """The same picture, with the fault."""
        return jpeg[:2] + self.value + jpeg[2:]


class Loader(AppLoader):  # type: ignore[misc]  # Celery has no types
    """Gives the worker that it loads a decoder with faults."""

    def on_worker_init(self) -> None:
        """Put the faults in before the worker's processes are forked."""
        for module, name in _DECODERS:
            if loaded := sys.modules.get(module):
                setattr(loaded, name, partial(_decode, getattr(loaded, name)))


def _decode(decode: Callable[..., Any], original: IO[bytes], *args: Any, **kwargs: Any) -> Any:
    _break_by(original)
    return decode(original, *args, **kwargs)


def _break_by(file: IO[bytes]) -> None:
    start = file.tell()
    mark = file.read(12)[2:]
    file.seek(start)
    if mark == Fault.CRASH.value:
        os.kill(os.getpid(), signal.SIGKILL)
    if mark == Fault.HANG.value:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])  # it does not hear the soft time limit
        time.sleep(3600)
    if mark == Fault.FILL_MEMORY.value:
        bytearray(4_000_000_000)
