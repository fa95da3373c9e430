"""Stopping the worker of this instance, and whichever a supervisor starts in its place."""

import logging
import os
import re
import signal
import time
from pathlib import Path

import psutil

from workers.drain.timing import Timing
from workers.drain.trouble import Trouble

logger = logging.getLogger(__name__)

_IN_WORDS = {
    signal.SIGTERM: "take nothing new, and finish what it does",
    signal.SIGQUIT: "hand back everything",
    signal.SIGKILL: "die",
}


class PidfileError(Exception):
    """A pidfile that does not name a worker; its message says why."""


def find_worker(pidfile: Path) -> psutil.Process | None:
    """Return the main process of the worker that a pidfile names, or None if none runs.

    Only a Celery process of our own user will do: a pidfile may be stale, and its process id another's by now.

    Raises:
        PidfileError: it names something that is not to be touched, or cannot be read.
    """
    try:
        with pidfile.open(encoding="ascii", errors="replace") as file:
            text = file.read(20).strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PidfileError(f"{pidfile} cannot be read: {error.strerror}") from error
    if not re.fullmatch(r"[1-9]\d*", text, re.ASCII) or int(text) in (1, os.getpid()):
        raise PidfileError(f"{pidfile} names no worker, but {text!r}")
    try:
        process = psutil.Process(int(text))
        ours = process.uids().real == os.getuid()
        command = process.cmdline()
    except psutil.NoSuchProcess:  # or it has ended, and is only not yet collected
        return None
    except psutil.AccessDenied:
        ours, command = False, []
    if not ours or not any("celery" in word for word in command) or "worker" not in command:
        raise PidfileError(f"{pidfile} is stale: process {text} is no worker of ours")
    return process


class Stopping:
    """The stopping of every worker that the pidfile names from now on, each told what is due by then."""

    def __init__(self, pidfile: Path, timing: Timing) -> None:
        self._pidfile = pidfile
        self._began = time.monotonic()
        self._steps = ((0.0, signal.SIGTERM), (timing.hand_back, signal.SIGQUIT), (timing.kill, signal.SIGKILL))
        self._told: dict[psutil.Process, signal.Signals | None] = {}
        self._trouble = Trouble("the pidfile")

    def go_on(self) -> bool:
        """Tell each worker what is due, and return whether any still runs, or might: the pidfile cannot be read."""
        is_unsure = False
        try:
            if worker := find_worker(self._pidfile):
                self._told.setdefault(worker, None)
        except PidfileError as error:
            self._trouble.note(str(error))
            is_unsure = isinstance(error.__cause__, OSError)
        else:
            self._trouble.note(None)
        elapsed = time.monotonic() - self._began
        due = [number for seconds, number in self._steps if seconds <= elapsed][-1]
        for process in list(self._told):
            if _has_ended(process):
                logger.info("worker process %d has ended", process.pid)
                del self._told[process]
            elif self._told[process] != due:
                logger.info("telling worker process %d to %s (%s)", process.pid, _IN_WORDS[due], due.name)
                _tell(process, due)
                self._told[process] = due
        return bool(self._told) or (is_unsure and elapsed < self._steps[-1][0])

    def next_step(self) -> float:
        """Seconds until another step is due; infinity after the last."""
        elapsed = time.monotonic() - self._began
        return min((seconds - elapsed for seconds, _ in self._steps if seconds > elapsed), default=float("inf"))


def _has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _tell(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal; psutil makes sure that the process is still the one it was. SIGKILL takes the children along."""
    try:
        children = process.children(recursive=True) if number == signal.SIGKILL else []
    except psutil.NoSuchProcess:
        return
    for each in (process, *children):
        try:
            each.send_signal(number)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            logger.error("process %d may not be sent %s", each.pid, number.name)
