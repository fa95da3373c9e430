"""One supervised program: started, waited for, restarted when it crashes, stopped."""

import asyncio
import os
import re
import signal
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from photofleet.local.guard import Guard
from photofleet.local.service import Service, State

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
# Whoever has been ready for so long has recovered, and starts with the first delay again.
RECOVERED_SECONDS = 60.0
POLL_SECONDS = 0.1
LONGEST_LINE = 16_384

# The shell waits for a line before it becomes the program, so that the guard knows of it before it does anything; if
# we die first, the shell reads the end of its input and goes.
_GATE = ("sh", "-c", 'read -r line && exec "$@" </dev/null', "sh")


class ServiceError(Exception):
    """A service did not become ready, or a job ended with an error."""


class Child:
    """A service's process, and what is known about it."""

    def __init__(
        self,
        service: Service,
        guard: Guard,
        environment: MutableMapping[str, str],
        log: Callable[[str, str], None],
        changed: Callable[[], None],
    ):
        """Prepare a child that finds `environment` on top of ours, logs to `log` and calls `changed` as it lives."""
        self.service = service
        self.state = State.WAITING
        self.since = datetime.now(UTC)
        self.restarts = 0
        self._guard = guard
        self._environment = environment
        self._log = log
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._output: asyncio.Task[None] | None = None
        self._ready_line = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process else None

    def describe(self) -> Mapping[str, Any]:
        """Return what `photofleet local status` shows."""
        return {
            "name": self.service.name,
            "pid": self.pid,
            "state": self.state,
            "since": self.since.isoformat(timespec="seconds"),
            "restarts": self.restarts,
            "port": self.service.port,
        }

    async def start(self) -> None:
        """Start the program and wait until it is ready; wait for its end if it is one that runs once.

        Raises:
            ServiceError: it ended too early, took too long, or its own preparations failed.
        """
        self._become(State.STARTING)
        try:
            process = await self._spawn()
        except OSError as error:
            raise ServiceError(f"{self.service.name} could not be started: {error}.") from error
        exited = asyncio.create_task(process.wait())
        try:
            async with asyncio.timeout(self.service.start_seconds):
                await self._until_ready(exited)
        except TimeoutError:
            await self._end()
            raise ServiceError(
                f"{self.service.name} was not ready within {self.service.start_seconds:.0f} seconds."
            ) from None
        except ServiceError:
            await self._end()
            raise
        finally:
            exited.cancel()
        if self.service.runs_once:
            await self._end()
        self._become(State.DONE if self.service.runs_once else State.READY)

    async def keep(self) -> None:
        """Start the program again whenever it has ended, each time later; never returns."""
        delay = FIRST_DELAY
        while True:
            ready_since = monotonic()
            if self._process:
                code = await self._process.wait()
                await self._end()
                self._log(self.service.name, f"{_describe_exit(code)}; starting it again.")
            if monotonic() - ready_since > RECOVERED_SECONDS:
                delay = FIRST_DELAY
            self._become(State.CRASHED)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)
            self.restarts += 1
            try:
                await self.start()
            except ServiceError as error:
                self._log(self.service.name, str(error))

    async def stop(self, hurry: asyncio.Event) -> None:
        """Ask the program to end; kill it when it takes too long, or when `hurry` is set."""
        if self._process and self._process.returncode is None:
            self._become(State.STOPPING)
            with suppress(ProcessLookupError):
                self._process.send_signal(self.service.stop_signal)
            ended = asyncio.create_task(self._process.wait())
            hurried = asyncio.create_task(hurry.wait())
            await asyncio.wait({ended, hurried}, timeout=self.service.stop_seconds, return_when=asyncio.FIRST_COMPLETED)
            hurried.cancel()
            if not ended.done():
                self._log(self.service.name, "Killed, as it did not end in time.")
                ended.cancel()
        await self._end()
        if self.state is not State.DONE:
            self._become(State.STOPPED)

    def _become(self, state: State) -> None:
        self.state = state
        self.since = datetime.now(UTC)
        self._changed()

    async def _spawn(self) -> asyncio.subprocess.Process:
        # Our own pipes, as asyncio takes a process for alive while anyone it started holds one of asyncio's.
        output, its_output = os.pipe()
        its_input, gate = os.pipe()
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                *(*_GATE, *self.service.command),
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environment, **self.service.environment},
                stdin=its_input,
                stdout=its_output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
            self._guard.watch(process.pid, self.service.stop_signal)
            self._ready_line.clear()
            os.write(gate, b"go\n")
        finally:
            for descriptor in (its_output, its_input, gate):
                os.close(descriptor)
        self._output = asyncio.create_task(self._read(output))
        return process

    async def _read(self, descriptor: int) -> None:
        output = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(descriptor, "rb", buffering=0)
        )
        try:
            await self._take_lines(output)
        finally:
            transport.close()

    async def _take_lines(self, output: asyncio.StreamReader) -> None:
        rest = b""
        while piece := await output.read(LONGEST_LINE):
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._take(line)
        if rest:
            self._take(rest)

    def _take(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        self._log(self.service.name, text)
        if self.service.ready_line and re.search(self.service.ready_line, text):
            self._ready_line.set()

    async def _until_ready(self, exited: "asyncio.Task[int]") -> None:
        service = self.service
        if service.runs_once:
            code = await asyncio.shield(exited)
            if code:
                raise ServiceError(f"{service.name}: {_describe_exit(code)}.")
            return
        born = monotonic()
        while not await self._is_ready(monotonic() - born):
            if exited.done():
                raise ServiceError(f"{service.name}: {_describe_exit(exited.result())} before it was ready.")
            await asyncio.sleep(POLL_SECONDS)
        if service.when_ready:
            try:
                self._environment.update(await asyncio.to_thread(service.when_ready))
            except Exception as error:  # whatever it is, it concerns this service only
                raise ServiceError(f"{service.name}: {error}") from error

    async def _is_ready(self, age: float) -> bool:
        if self.service.ready_line and not self._ready_line.is_set():
            return False
        if self.service.is_ready:
            return await asyncio.to_thread(self.service.is_ready)
        return self.service.ready_line is not None or age > 1

    async def _end(self) -> None:
        """Leave nothing of the process's group behind."""
        if not self._process:
            return
        # Also those that it started and that outlived it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._guard.forget(self._process.pid)
        if self._output:
            await asyncio.wait({self._output}, timeout=1)
            self._output.cancel()
        self._process = None


def _describe_exit(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
