"""Labelled photos a second, from messages to stored labels, beside the bare network: `… -m tests.bench.label.service`.

A real worker of the label fleet works through a queue of photos, against an embedded AWS and an embedded PostgreSQL on
the same machine: it fetches each picture, decodes it, classifies it and stores its labels. The bare network classifies
pictures that are already in memory, in batches of the size that suits it best; on the CPU, in as many processes as the
worker has, and on a GPU recorded, with pictures that are there already (tests/bench/label/gpu.py). How near the worker
comes to that is what all else about a photo costs.

With a GPU (on one with 16 cores, say):

    python -m tests.bench.label.service --device cuda --batch 64 --photos 4000

Photos: the JPEGs of the folder PHOTOS, else those of `make bench-resize`, as often as it takes. They have a rendition
of 1,280 pixels, unless `--originals` is given.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from uuid import UUID

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from photofleet import storage
from photofleet.announce import announce_photo
from photofleet.catalog.database import get_engine
from photofleet.catalog.models import DONE, FAILED, LABEL, Stage
from photofleet.catalog.results import StoredRendition, record_renditions
from photofleet.settings import read_label_settings
from tests.bench.common import logged, print_table, write_figures
from tests.bench.label.gpu import replays_per_second
from tests.bench.label.measured import ready_model, rendition
from tests.bench.resize.photos import find_photos
from tests.bench.resize_task import service, upload_photo
from tests.conftest import MODELS, running
from workers.label.models import load_model
from workers.resize.results import Rendition

BATCHES = (1, 2, 4, 8, 16)
SECONDS = 2.0
"""For which the bare network is measured at each size of batch, on the CPU."""


def main() -> None:
    """Measure, print a table, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.label.service")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--photos", type=int, default=200, help="how many are labelled")
    parser.add_argument("--batch", type=int, default=32, help="pictures that a GPU looks at together")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="of the worker, without a GPU")
    parser.add_argument("--pool", choices=("prefork", "threads"), help="of the worker; as suits the device")
    parser.add_argument("--originals", action="store_true", help="without renditions")
    parser.add_argument("--bare", action="store_true", help="measure the bare network alone, in this process")
    options = parser.parse_args()
    os.environ |= {
        "PHOTOFLEET_LABEL_CACHE": str(MODELS),
        "PHOTOFLEET_LABEL_DEVICE": options.device,
        "PHOTOFLEET_LABEL_BATCH": str(options.batch),
    }
    if options.device == "cpu":
        os.environ["OMP_NUM_THREADS"] = "1"  # as the fleet has it: a process has a core
    if options.bare:
        print(json.dumps(bare_rates()))
        return
    has_gpu = options.device == "cuda"
    pool = options.pool or ("threads" if has_gpu else "prefork")
    command = worker_command(pool, 2 * options.batch if pool == "threads" else options.processes)
    engine = ready_model(read_label_settings()).engine_name
    bare = best_bare(1 if has_gpu else options.processes)
    with service():
        photos = upload_all(options.photos, has_rendition=not options.originals)
        rate = labelled_per_second(command, photos)
    best = max(bare.values())
    print_table(["", "photos a second"], [[f"bare network ({engine})", best], ["messages to stored labels", rate]])
    print(f"\n{rate / best:.0%} of the bare network; AWS and the database are on the same {os.cpu_count()} cores")
    kind = f"{options.device}-{pool}{'-originals' if options.originals else ''}"
    found = {f"network_batch_{size}_per_s": value for size, value in bare.items()}
    ours = {"service_per_s": rate, "service_vs_network": rate / best}
    write_figures(f"label-service-{kind}", found | ours, engine=engine)


def worker_command(pool: str, slots: int) -> Sequence[str]:
    """The command of the fleet's worker."""
    return (
        *(sys.executable, "-m", "celery", "--app", "workers.label", "worker", "--queues", "label"),
        *("--pool", pool, "--concurrency", str(slots), "--hostname", "label@bench"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    )


def bare_rates() -> Mapping[int, float]:
    """Pictures a second of the network in this process, by the size of its batches."""
    settings = read_label_settings()
    if settings.label_device == "cuda":
        return replays_per_second(settings)
    model = load_model(settings)
    size = model.preprocessing.size
    rates = {}
    for count in BATCHES:
        batch = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
        model.classify(batch)  # to warm up
        times, end = [], time.perf_counter() + SECONDS
        while time.perf_counter() < end or len(times) < 3:
            began = time.perf_counter()
            model.classify(batch)
            times.append(time.perf_counter() - began)
        rates[count] = count / median(times)
    return rates


def best_bare(processes: int) -> dict[int, float]:
    """The same for several processes at once, together."""
    command = (sys.executable, "-m", "tests.bench.label.service", "--bare")
    options = ("--device", os.environ["PHOTOFLEET_LABEL_DEVICE"])
    started = [subprocess.Popen((*command, *options), stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    answers = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        sys.exit("The bare network could not be measured.")
    rates: list[dict[str, float]] = [json.loads(answer.splitlines()[-1]) for answer in answers]
    return {int(size): sum(each[size] for each in rates) for size in rates[0]}


def upload_all(count: int, *, has_rendition: bool) -> list[UUID]:
    """Have so many photos wait for the label fleet, without announcing them."""
    originals = [photo.path.read_bytes() for photo in find_photos(os.environ.get("PHOTOS"))]
    renditions = [rendition(data) for data in originals] if has_rendition else []
    photos = []
    for number in range(count):
        photos.append(upload_photo(originals[number % len(originals)]))
        if renditions:
            add_rendition(photos[-1], renditions[number % len(renditions)])
    return photos


def add_rendition(photo_id: UUID, made: Rendition) -> None:
    """Give a photo a rendition, which is taken in place of the original where it is sharp enough."""
    key = storage.rendition_key(photo_id, made.spec.name, "bench", "jpg")
    storage.put_rendition(key, made.data, "image/jpeg")
    stored = StoredRendition(made.spec.name, "jpeg", made.width, made.height, len(made.data), key, "fit")
    with Session(get_engine()) as session:
        record_renditions(session, photo_id, [stored], preview=None, colour="#000000", revision="bench")
        session.commit()


def labelled_per_second(command: Sequence[str], photos: Sequence[UUID]) -> float:
    """Announce the photos, have them labelled, and return how many were labelled a second.

    The first and the last tenth do not count, when the worker has not got enough to do.
    """
    for photo_id in photos:
        if not announce_photo(photo_id, "bench"):
            sys.exit("A photo could not be announced.")
    counts: list[tuple[float, int]] = []
    with working(command):
        while not counts or counts[-1][1] < len(photos):
            time.sleep(0.25)
            counts.append((time.perf_counter(), labelled()))
    least, most = len(photos) / 10, len(photos) * 9 / 10
    first = next(seen for seen in counts if seen[1] >= least)
    last = next(seen for seen in counts if seen[1] >= most)
    return (last[1] - first[1]) / (last[0] - first[0]) if last[0] > first[0] else float("nan")


@contextmanager
def working(command: Sequence[str]) -> Iterator[None]:
    """Run a worker for the length of a with block."""
    with running(logged("label-worker", *command), lambda: True):
        yield


def labelled() -> int:
    """How many photos are labelled; one that failed ends the program."""
    with Session(get_engine()) as session:
        states = dict(
            session.execute(select(Stage.state, func.count()).where(Stage.name == LABEL).group_by(Stage.state)).all()
        )
    if states.get(FAILED):
        sys.exit("A photo could not be labelled; build/bench/label-worker.log says why.")
    return int(states.get(DONE, 0))


if __name__ == "__main__":
    main()
