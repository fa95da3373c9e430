"""A contestant's side of the benchmark: do photos as they are asked for, and say what each took.

A line of input is a list of jobs, and a line of output the list of their results. Other virtual environments run this
too, so it imports nothing of the project.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Any

#: From a photo's content, its sizes (largest first) and the formats of each to the files, size by size.
Method = Callable[[bytes, Sequence[tuple[int, int]], Sequence[str]], Iterator[bytes]]


def serve(method: Method) -> None:
    """Answer until there is nothing more to read."""
    for line in sys.stdin:
        print(json.dumps([_do(method, job) for job in json.loads(line)]), flush=True)


def _do(method: Method, job: dict[str, Any]) -> dict[str, Any]:
    """Make a photo's files and forget them, or keep them in the job's folder, numbered."""
    original = Path(job["photo"]).read_bytes()
    sizes = [(width, height) for width, height in job["sizes"]]
    folder = job.get("folder")
    seconds, total = _cpu_s(), 0
    for number, file in enumerate(method(original, sizes, job["formats"])):
        total += len(file)
        if folder:
            Path(folder, str(number)).write_bytes(file)
    seconds = _cpu_s() - seconds
    return {"cpu_s": seconds, "bytes": total, "children_mb": getrusage(RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6}


def _cpu_s() -> float:
    """User and system time of this process, all its threads, and the programs it has run."""
    return sum(used.ru_utime + used.ru_stime for used in (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)))
