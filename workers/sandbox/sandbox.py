"""Work on a photo in a process of its own that is held to limits by the operating system."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from workers.image import BadImage
from workers.image.opening import WORKING_BYTES_PER_PIXEL
from workers.memory import MEGABYTE
from workers.sandbox.answers import Answer, DecoderError, Expected, SandboxError, read_answers

CPU_SECONDS = 60
"""What one photo may take of a processor's time: many times what the largest takes."""

SECONDS = 100
"""What one photo may take by the clock, with the storing of its renditions: less than the task, so that it can tell."""

BASE_BYTES = 330 * MEGABYTE
"""What a photo's process may take whatever the picture: the program with its libraries takes about 50 MB, and 64 MB are
the top pad of ENVIRONMENT."""

_STOP_SECONDS = 5.0

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # a worker process has one core to itself
    "MALLOC_ARENA_MAX": "1",
    # Large pages where the kernel has them, with pictures among all else: otherwise, each 4 KiB of a picture are a page
    # fault, which together cost a photo 8 % more CPU.
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824:glibc.malloc.top_pad=67108864",
}
"""All that the processes see: no credentials, no settings."""

_AT_FAULT = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP)
"""Signals that a decoder ends by when it does what it must not, or gets no memory where it cannot do without."""


class Sandbox:
    """Does one kind of work, each photo in a process of its own. Threads may share it.

    Args:
        work: What is done, as `module:function`, the function being a `workers.sandbox.answers.Work`.
        cpu_seconds: How much of a processor's time one photo may take.
        seconds: How long one photo may take.
    """

    def __init__(self, work: str, *, cpu_seconds: int = CPU_SECONDS, seconds: float = SECONDS) -> None:
        self._work, self._cpu_seconds, self._seconds = work, cpu_seconds, seconds
        self._idle: list[_Nursery] = []

    def run(
        self, original: IO[bytes], arguments: dict[str, Any], expected: Expected, *, max_pixels: int
    ) -> Generator[Answer, None, None]:
        """Yield the results of the work on a photo, each while the next is made.

        Whoever stops before the end closes the iterator, or drops it; then the photo's process is ended.

        Args:
            original: The whole file. It must be a real one; its position does not matter.
            arguments: What the work is told besides, as JSON can say it.
            expected: What results there have to be.
            max_pixels: The limit on its width × height × frames. What memory it may take follows from this.

        Raises:
            BadImage: The file is at fault; so it is where a decoder crashes, or takes too much memory or time.
            SandboxError: We are, or may be: the process was killed, say, took too long on a machine that may have more
                to do, or answered something else than what was expected.
        """
        memory, is_scarce = _memory(original, max_pixels)
        request = {
            "arguments": arguments,
            "memory": memory,
            "is_scarce": is_scarce,
            "cpu_seconds": self._cpu_seconds,
            "seconds": self._seconds,
        }
        nursery = self._take()
        try:
            with nursery.ask(request, original) as answers:
                error = yield from read_answers(answers, expected)
            status, is_overdue = nursery.await_child()
        except BaseException:
            nursery.stop()
            raise
        self._idle.append(nursery)
        if isinstance(error, EOFError) and is_overdue:
            error = SandboxError(f"the photo took longer than {self._seconds} seconds")
        elif isinstance(error, EOFError):
            error = _verdict(status, is_scarce=is_scarce)
        if error is not None:
            raise error

    def _take(self) -> "_Nursery":
        """Return a nursery that has nothing to do; of these there are as many as there were photos at once."""
        while self._idle:
            try:
                nursery = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if nursery.is_alive():
                return nursery
            nursery.stop()
        return _Nursery(self._work)

    def close(self) -> None:
        """End what waits for the next photo. It also ends by itself when this process does."""
        while self._idle:
            self._idle.pop().stop()


class _Nursery:
    """A running nursery (workers/sandbox/nursery.py), as seen from the worker."""

    def __init__(self, work: str) -> None:
        self._control, theirs = socket.socketpair()
        for end in (self._control, theirs):
            end.settimeout(None)  # while Celery shuts down, new sockets have one: the other end would not wait
        with theirs:
            self._process = subprocess.Popen(
                (sys.executable, "-sP", "-m", "workers.sandbox.nursery", str(theirs.fileno()), work),
                env=ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(sys.path)},  # it is installed where this program is
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def is_alive(self) -> bool:
        """Whether it runs, and is a child of this process: one that was forked needs its own."""
        return self._process.poll() is None

    @contextmanager
    def ask(self, request: dict[str, object], original: IO[bytes]) -> Iterator[IO[bytes]]:
        """Begin with a photo, and give where its answers can be read."""
        # Opened anew, it can only be read, and has a position of its own.
        file = Path(f"/dev/fd/{original.fileno()}")
        receiver, sender = os.pipe()
        with open(receiver, "rb") as answers:  # noqa: PTH123 - a descriptor has no path
            with open(sender, "wb") as theirs, file.open("rb") as read_only:  # noqa: PTH123
                descriptors = [read_only.fileno(), theirs.fileno()]
                socket.send_fds(self._control, [json.dumps(request).encode() + b"\n"], descriptors)
            yield answers

    def await_child(self) -> tuple[int, bool]:
        """Return how the photo's process ended, as `os.waitpid` does, and whether its time was over."""
        line = self._control.recv(16)
        if not line:
            raise SandboxError("the nursery ended amid a photo")
        status, is_overdue = map(int, line.split())
        return status, bool(is_overdue)

    def stop(self) -> None:
        """End it, and the process of a photo that is under way."""
        self._control.close()  # which tells it
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _memory(original: IO[bytes], max_pixels: int) -> tuple[int, bool]:
    """Return how many bytes a photo's process may take, and whether that is scarce, as we have no more ourselves."""
    original.flush()
    wanted = BASE_BYTES + 2 * os.fstat(original.fileno()).st_size + WORKING_BYTES_PER_PIXEL * max_pixels
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    return (most, True) if 0 <= most < wanted else (wanted, False)


def _verdict(status: int, *, is_scarce: bool) -> Exception:
    """Return what there is to raise for a process that broke off its answers and ended so."""
    if not os.WIFSIGNALED(status):
        return SandboxError(f"the photo's process ended amid its answers, with exit code {os.WEXITSTATUS(status)}")
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU:
        sentence = "The file takes far more work to decode than other pictures of its size."
    elif number in _AT_FAULT and not is_scarce:
        sentence = "The file cannot be decoded: the decoder crashes on it."
    else:
        return SandboxError(f"the photo's process was killed by signal {number}")
    bad = BadImage(f"{sentence} Export the picture again and upload the new file.")
    bad.__cause__ = DecoderError(signal.Signals(number).name)
    return bad
