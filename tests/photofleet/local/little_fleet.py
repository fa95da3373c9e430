"""A supervisor of little programs: `little_fleet.py FOLDER CASE`; tests start it, and do to it what users do."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from photofleet.local.child import ServiceError
from photofleet.local.console import Console
from photofleet.local.service import Service
from photofleet.local.supervisor import ITSELF, Supervisor

LITTLE_PROGRAM = Path(__file__).with_name("little_program.py")


def program(name: str, folder: Path, *words: str, **options: Any) -> Service:
    command = (sys.executable, str(LITTLE_PROGRAM), name, str(folder), *words)
    return Service(name, command, ready_line=f"{name} is ready", **options)


def python(name: str, code: str, **options: Any) -> Service:
    return Service(name, (sys.executable, "-c", code), **options)


def prepare() -> Mapping[str, str]:
    sys.stdout.write("the cloud is being prepared\n")
    sys.stdout.flush()
    return {"FOUND_BY_CLOUD": "a bucket"}


def stages(case: str, folder: Path) -> Sequence[Sequence[Service]]:
    if case == "three stages":
        return (
            (program("cloud", folder, when_ready=prepare),),
            (python("job", "import os; print('the job sees', os.environ['FOUND_BY_CLOUD'])", runs_once=True),),
            (program("web", folder), program("worker", folder)),
        )
    if case == "stubborn":
        return ((program("mule", folder, "stubborn"),),)
    if case == "crashing":
        code = (
            "import pathlib, time\n"
            f"starts = pathlib.Path({str(folder)!r}, 'starts').open('a')\n"
            "starts.write(f'{time.time()}\\n')\n"
            "starts.close()\n"
            "print('up', flush=True)\n"
            "time.sleep(0.2)\n"
        )
        return ((python("mayfly", code, ready_line="up"),),)
    if case == "failing":
        return (
            (program("cloud", folder),),
            (python("job", "import sys; print('no such table'); sys.exit(3)", runs_once=True),),
            (program("web", folder),),
        )
    if case == "long job":
        return (
            (program("cloud", folder),),
            (python("job", "import time; time.sleep(1000)", runs_once=True),),
        )
    if case == "never ready":
        return ((python("sloth", "import time; time.sleep(1000)", ready_line="never", start_seconds=0.5),),)
    if case == "bad preparations":
        return ((program("cloud", folder, when_ready=lambda: {"TopicArn": os.environ["NO_SUCH_OUTPUT"]}),),)
    raise ValueError(case)


def main(folder: Path, case: str) -> None:
    console = Console(sys.stdout, [ITSELF])
    lock = os.open(folder / "held", os.O_RDWR | os.O_CREAT)

    def report(children: Sequence[Mapping[str, Any]]) -> None:
        unfinished = folder / "status.unfinished"
        unfinished.write_text(json.dumps(list(children)), encoding="utf-8")
        unfinished.rename(folder / "status")

    supervisor = Supervisor(
        stages(case, folder), console.write, report, lambda: console.write(ITSELF, "everything is ready"), [lock]
    )
    try:
        asyncio.run(supervisor.run())
    except ServiceError as error:
        sys.exit(f"Sorry: {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
