"""Harm the service for as long as it takes to upload many photos, and see whether it loses any.

`python -m tests.chaos --photos 1000 --seed 1` prints a report and writes build/bench/chaos.json. If anything is wrong,
its exit status is 1, and the service's state and log are kept.
"""

import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import click

from photofleet.local.environment import keep_to_this_machine
from tests.chaos.run import run

FIGURES = Path(__file__).parents[2] / "build" / "bench" / "chaos.json"
PATIENCE_S = 600


@click.command()
@click.option("--photos", type=click.IntRange(min=10), default=1000, show_default=True, help="How many are uploaded.")
@click.option("--seed", type=int, help="What is done, and in which order; chance by default.")
@click.option("--keep", is_flag=True, help="Keep the service's state and log, even if nothing is wrong.")
def main(photos: int, seed: int | None, keep: bool) -> None:
    """Upload photos while everything fails that can fail, and see whether any is lost."""
    keep_to_this_machine()
    seed = random.randrange(10**6) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix="photofleet-chaos-"))
    folder.chmod(0o711)  # PostgreSQL must pass through, where it is not allowed to be root
    began = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {words}", flush=True)

    say(f"{photos} photos, seed {seed}; the service's log is {folder / 'state' / 'photofleet.log'}")
    report = run(photos, seed, folder / "state", patience_s=PATIENCE_S, say=say)
    print(f"\n{report}")
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps({"figures": report.figures}, indent=2) + "\n", encoding="utf-8")
    if report.problems:
        sys.exit(1)
    if not keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
