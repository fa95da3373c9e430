"""Keeps the programs of a service running together: started in order, healed, stopped in reverse order."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from photofleet.local.child import Child
from photofleet.local.guard import Guard
from photofleet.local.service import Service

ITSELF = "local"


class Supervisor:
    """Runs `stages` of services: those of one stage start together, once the stage before is ready."""

    def __init__(
        self,
        stages: Sequence[Sequence[Service]],
        log: Callable[[str, str], None],
        report: Callable[[Sequence[Mapping[str, Any]]], None],
        when_ready: Callable[[], None],
        keep_open: Sequence[int] = (),
    ):
        """Prepare a supervisor.

        `log` takes a service's name and a line of its output, `report` what every service's state is now, `when_ready`
        is called once when all are ready; `keep_open` are descriptors to hold until no process is left, however
        this one dies.
        """
        self._log = log
        self._report = report
        self._when_ready = when_ready
        self._guard = Guard(keep_open)
        environment: dict[str, str] = {}
        self._stages = [
            [Child(service, self._guard, environment, log, self._changed) for service in stage] for stage in stages
        ]
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        """Run until SIGINT, SIGTERM or SIGHUP; a second one kills what has not ended yet.

        Raises:
            ServiceError: a service did not start; the others have been stopped.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._be_told_to_stop)
        async with self._guard:
            keepers: list[asyncio.Task[None]] = []
            running = asyncio.create_task(self._run(keepers))
            stopping = asyncio.create_task(self._stop.wait())
            try:
                await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()
            finally:
                for task in (running, stopping, *keepers):
                    task.cancel()
                await asyncio.wait({running, stopping, *keepers})
                self._log(ITSELF, "Stopping; Ctrl-C again kills what takes long.")
                for stage in reversed(self._stages):
                    await asyncio.gather(*(child.stop(self._hurry) for child in stage))

    async def _run(self, keepers: list["asyncio.Task[None]"]) -> None:
        for stage in self._stages:
            for child in stage:
                self._log(ITSELF, f"Starting {child.service.name}.")
            try:
                async with asyncio.TaskGroup() as starts:
                    for child in stage:
                        starts.create_task(child.start())
            except ExceptionGroup as failures:
                raise failures.exceptions[0] from None
            keepers += [asyncio.create_task(child.keep()) for child in stage if not child.service.runs_once]
        self._when_ready()
        await asyncio.gather(*keepers)

    def _be_told_to_stop(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _changed(self) -> None:
        try:
            self._report([child.describe() for stage in self._stages for child in stage])
        except OSError as error:  # a full disk, say; the services go on
            self._log(ITSELF, f"What the services do could not be reported: {error}.")
