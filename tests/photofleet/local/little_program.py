"""A program to supervise: `little_program.py NAME FOLDER [stubborn]`. What happens to it, it appends to a file."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType


def main(name: str, folder: Path, stubborn: bool) -> None:
    def note(event: str) -> None:
        with (folder / "events").open("a", encoding="utf-8") as file:
            file.write(f"{name} {event}\n")

    def stop(_number: int, _frame: FrameType | None) -> None:
        note("stopped")
        if not stubborn:
            sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    grandchild = subprocess.Popen(("sleep", "1000"))
    with (folder / "pids").open("a", encoding="utf-8") as pids:
        pids.write(f"{os.getpid()} {grandchild.pid}\n")
    note("started")
    sys.stdout.write(f"{name} is ready\n")
    sys.stdout.flush()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), "stubborn" in sys.argv)
