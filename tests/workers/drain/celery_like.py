"""A process like a Celery worker's: it notes its id in a pidfile, has a child, and ends only on the signals it heeds.

    python -m tests.workers.drain.celery_like worker PIDFILE NOTES [SIGNAL…]

The first line of NOTES is the child's id, and each signal that it gets is another.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType


def main(pidfile: Path, notes: Path, heeded: list[str]) -> None:
    def note(line: str) -> None:
        with notes.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def heed(number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        note(name)
        if name in heeded:
            child.kill()
            child.wait()
            if pidfile.read_text() == f"{os.getpid()}\n":
                pidfile.unlink()
            sys.exit(0)

    child = subprocess.Popen(("sleep", "1000"))
    for number in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, heed)
    pidfile.write_text(f"{os.getpid()}\n")
    note(str(child.pid))
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
