"""A guard that ends process groups when whoever started them has died without doing so.

Run as a program in a session of its own. Its standard input is a pipe from the supervisor: each line is `watch` or
`forget`, a process group and the number of the signal that ends it gently. However the supervisor dies, the pipe
closes, and the guard ends every group it still watches.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from time import monotonic, sleep
from typing import TextIO

GRACE_SECONDS = 10.0


class Guard:
    """The supervisor's end: a guard process, replaced should it die."""

    def __init__(self, keep_open: Sequence[int] = ()):
        """Prepare a guard that holds the descriptors `keep_open` until every group has ended."""
        self._keep_open = keep_open
        self._watched: dict[int, signal.Signals] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Guard":
        await self._start()
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeper:
            self._keeper.cancel()
        if self._process and self._process.stdin:
            self._process.stdin.close()
            await self._process.wait()

    def watch(self, group: int, stop_signal: signal.Signals) -> None:
        """End `group` with `stop_signal`, and then SIGKILL, once this process is gone."""
        self._watched[group] = stop_signal
        self._tell("watch", group, stop_signal)

    def forget(self, group: int) -> None:
        """Leave `group` alone: it has ended."""
        stop_signal = self._watched.pop(group, None)
        if stop_signal is not None:
            self._tell("forget", group, stop_signal)

    def _tell(self, word: str, group: int, stop_signal: signal.Signals) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.write(f"{word} {group} {stop_signal.value}\n".encode())

    async def _start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "photofleet.local.guard"),
            stdin=asyncio.subprocess.PIPE,
            pass_fds=self._keep_open,
            start_new_session=True,
        )
        for group, stop_signal in self._watched.items():
            self._tell("watch", group, stop_signal)

    async def _keep(self) -> None:
        while self._process:
            await self._process.wait()
            await self._start()


def main(lines: TextIO) -> None:
    """Watch what `lines` says, and at their end, end what is still watched."""
    watched: dict[int, int] = {}
    for line in lines:
        word, group, stop_signal = line.split()
        if word == "watch":
            watched[int(group)] = int(stop_signal)
        else:
            watched.pop(int(group), None)
    for process_group, number in reversed(watched.items()):
        _signal(process_group, number)
    deadline = monotonic() + GRACE_SECONDS
    while any(_signal(process_group, 0) for process_group in watched) and monotonic() < deadline:
        sleep(0.05)
    for process_group in watched:
        _signal(process_group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Send a signal; say whether anyone is left to receive it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers the latter for a group of zombies
        return False
    return True


if __name__ == "__main__":
    main(sys.stdin)
