"""CPU, memory and quality of five renditions of photos, beside everyone else's: `make bench-resize`.

Everyone makes the same JPEGs (quality 80, 4:2:0) in a process of its own, of one thread. In each round every photo is
done by all of them in turn, so that whatever else the machine does hits all alike; ratios are those of a round's sums,
and the median round is reported. CPU is that of the process and of programs it runs, without imports and without
reading the file; everyone has done a small photo before.

Memory is the peak of a process over the whole set, and what a photo of 24 megapixels adds to a new one, idle after the
small photo: as landscape, and as portrait, of which half the size would be too small. quality.py says how pixels are
compared.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean

from tests.bench.common import write_figures
from tests.bench.resize import quality
from tests.bench.resize.contestants import OURS, SHARP_NORMAL, commands, running
from tests.bench.resize.photos import Photo, find_photos, large_photos, zone_plates
from tests.bench.resize.report import AVIF, BOTH, COMPARED, JPEG, MIDDLE, SHARP_WEBP, WEBP, Measured
from tests.bench.resize.rounds import Entry, look_at, race, scaling

ROUNDS = 3
QUICK = 4

FORMATS = {
    JPEG: (OURS, ["jpeg"]),
    WEBP: (OURS, ["webp"]),
    BOTH: (OURS, ["jpeg", "webp"]),
    AVIF: (OURS, ["avif"]),
    SHARP_WEBP: (SHARP_NORMAL, ["webp"]),
}
"""Who makes what in the rounds about formats."""


def main() -> None:
    """Measure, print tables, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.resize")
    parser.add_argument("--photos", default=os.environ.get("PHOTOS"), help="a folder of JPEGs")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each photo is done")
    parser.add_argument("--quick", action="store_true", help=f"take {QUICK} of the photos, once")
    options = parser.parse_args()
    if not Path("/proc/self/status").exists():
        sys.exit("Peaks of memory are read from /proc, which only Linux has: run this there, or in a container.")
    photos, rounds = find_photos(options.photos), options.rounds
    if options.quick:
        photos, rounds = photos[:: -(-len(photos) // QUICK)], 1
    print(f"{len(photos)} photos, {fmean(photo.megapixels for photo in photos):.1f} MP on average", flush=True)
    run, missing = commands()
    measured = measure(photos, rounds, run)
    measured.show()
    for name in missing:
        print(f"\n{name} is not here, or could not be installed.")
    write_figures("resize", measured.figures())


def measure(photos: Sequence[Photo], rounds: int, run: Mapping[str, Sequence[str]]) -> Measured:
    """Measure all, with the commands that run the contestants."""
    print("What each does, and what a large photo adds", flush=True)
    looks = {name: look_at(name, command, large_photos(photos)) for name, command in run.items()}
    print("JPEG", flush=True)
    jpeg = race({name: Entry(command, ["jpeg"]) for name, command in run.items()}, photos, rounds)
    print("Formats", flush=True)
    formats = race({name: Entry(run[who], made) for name, (who, made) in FORMATS.items()}, photos, rounds)
    print("Two processes", flush=True)
    scaling_2 = scaling(OURS, run[OURS], photos, rounds)
    print("Quality", flush=True)
    with ExitStack() as stack:
        compared = [stack.enter_context(running(name, run[name])) for name in COMPARED if name in run]
        qualities = quality.compare(photos, compared)
        zones = [quality.compare_one(plate, compared) for plate in zone_plates()]
        ours = compared[0]
        ssims = {format: quality.encoded_ssim(photos, ours, format, MIDDLE) for format in ("jpeg", "webp", "avif")}
    zone_psnrs = {name: [zone[name][MIDDLE, MIDDLE].psnr_db for zone in zones] for name in zones[0]}
    return Measured(len(photos), looks, jpeg, formats, scaling_2, qualities, zone_psnrs, ssims)


if __name__ == "__main__":
    main()
