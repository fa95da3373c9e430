"""What a photo costs the resize fleet beside its pixels: `make bench-resize-task`.

Each round has every photo go through the whole task (original fetched, renditions made in the sandbox and uploaded,
results recorded) against an embedded AWS and an embedded PostgreSQL, and through the pixel work alone, in this process.
CPU is that of the worker's process and of those that it starts, not that of AWS and the database, which are on the same
cores; wall time suffers from them.

Then transfers through a link as slow as S3's (tests/bench/slow_link.py): the task with renditions uploaded one after
the other, as they are made, and at once; originals fetched in one request, and in parts. The embedded AWS reads a whole
object for each of its parts, which S3 does not: large ones are slower in parts here than there.

Photos: the JPEGs of the folder PHOTOS, else those of `make bench-resize`. Sums over the photos of medians over the
rounds.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch
from uuid import UUID

import psutil
from sqlalchemy.orm import Session

from photofleet import storage, transfers
from photofleet.catalog.database import get_engine
from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.migrate import migrate
from photofleet.catalog.photos import get_photo
from photofleet.images.formats import Format
from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.environment import keep_to_this_machine, service_environment
from photofleet.local.postgres import EmbeddedPostgres
from photofleet.settings import get_settings
from tests.bench.common import logged, print_table, unused_port, write_figures
from tests.bench.resize.photos import find_photos
from tests.conftest import running
from tests.photofleet.catalog.factories import create_photo
from workers.resize.renditions import make_renditions

ROUNDS = 5
FIRST_BYTE_MS, MEGABYTES_PER_SECOND = 25, 70
"""Of a connection to S3 in the same region: AWS says 85 to 90 MB/s of one that is busy, and less is usual."""

SIZES_MB = (2, 4, 8, 16)
"""Of originals that are fetched: a photo of 12 megapixels has about 4 MB."""

Seen = dict[str, list[float]]


class UploadsInTurn:
    """Uploads as they were: each is waited for before the next picture is made."""

    def __enter__(self) -> Self:
        return self

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store a rendition."""
        storage.put_rendition(key, data, content_type)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        pass


def main() -> None:
    """Measure, print tables, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.resize_task")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is measured")
    options = parser.parse_args()
    photos = [photo.path.read_bytes() for photo in find_photos(os.environ.get("PHOTOS"))]
    with service() as aws:
        from workers.resize.tasks import photo_uploaded  # it can be imported only where there are settings

        def task(data: bytes) -> None:
            photo_uploaded(str(photo_id := uploads[data]), "bench")
            assert_done(photo_id)

        def in_turn(data: bytes) -> None:
            with patch("workers.resize.tasks.RenditionUploads", UploadsInTurn):
                task(data)

        uploads: dict[bytes, UUID] = {}

        def upload(data: bytes) -> None:
            uploads[data] = upload_photo(data)

        storage.prepare()
        whole = measure(photos, options.rounds, {"pixels": just_pixels, "task": task}, upload)
        with slow_link(aws):
            slow = measure(photos, options.rounds, {"in turn": in_turn, "at once": task}, upload)
            fetched = measure_downloads(options.rounds)
    show(whole, slow, fetched, len(photos))
    write_figures("resize-task", figures(whole, slow, fetched, len(photos)))


@contextmanager
def service() -> Iterator[EmbeddedAWS]:
    """Make this process a worker of a service of its own, new and empty."""
    keep_to_this_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root, PostgreSQL is another user's
        aws, postgres = EmbeddedAWS(folder / "aws", unused_port()), EmbeddedPostgres(folder / "postgres", unused_port())
        for part in (aws, postgres):
            part.folder.mkdir()
        postgres.initialise()
        database = logged("postgres", *postgres.command, "-c", "fsync=off")
        with (
            running(logged("aws", *aws.command), aws.answers, aws.server_environment()),
            running(database, postgres.answers, stop_signal=signal.SIGINT),
        ):
            root = aws.client_environment()
            stacks.launch(root, postgres.url)
            os.environ.update(root | service_environment(aws, stacks.settings(root), postgres.url))
            migrate(get_engine())
            yield aws
            get_engine().dispose()


@contextmanager
def slow_link(aws: EmbeddedAWS) -> Iterator[None]:
    """Have this process reach S3 through a link that is slow."""
    command = (sys.executable, "-m", "tests.bench.slow_link", aws.endpoint, FIRST_BYTE_MS, MEGABYTES_PER_SECOND)
    with subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as proxy:
        assert proxy.stdout
        with patch.dict(os.environ, AWS_ENDPOINT_URL=proxy.stdout.readline().strip()):
            storage.s3.cache_clear()
            yield
        storage.s3.cache_clear()
        proxy.communicate()


def upload_photo(data: bytes) -> UUID:
    """Have a new photo wait for the resize fleet."""
    photo_id, digest = uuid7(), sha256(data).digest()
    storage.put_original(photo_id, BytesIO(data), Format.JPEG.content_type, digest)
    with Session(get_engine()) as session:
        create_photo(session, id=photo_id, owner=str(photo_id), size=len(data), sha256=digest)
        session.commit()
    return photo_id


def assert_done(photo_id: UUID) -> None:
    """End the program if a photo was not resized: what was measured would be something else."""
    with Session(get_engine()) as session:
        photo = get_photo(session, photo_id)
        if photo is None or not photo.renditions:
            sys.exit(f"A photo was not resized: {[stage.last_error for stage in photo.stages] if photo else 'gone'}")


def just_pixels(data: bytes) -> None:
    """Make the renditions in this process, and nothing else."""
    settings = get_settings()
    for _ in make_renditions(data, Format.JPEG, settings.rendition_specs, max_pixels=settings.max_pixels):
        pass


def measure(
    photos: Sequence[bytes], rounds: int, ways: Mapping[str, Callable[[bytes], None]], prepare: Callable[[bytes], None]
) -> Mapping[str, tuple[float, float]]:
    """Return wall and CPU milliseconds of each way, the sum of all photos; the ways take turns."""
    seen: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for number in range(-1, rounds):  # the first is to warm up
        for index, data in enumerate(photos if number >= 0 else photos[:1]):
            for name, way in ways.items():
                prepare(data)
                cpu, wall = cpu_s(), time.perf_counter()
                way(data)
                took = 1000 * (time.perf_counter() - wall), 1000 * (cpu_s() - cpu)
                if number >= 0:
                    seen.setdefault((name, index), []).append(took)
        print(f"{max(number + 1, 0)}/{rounds}  {', '.join(ways)}", flush=True)
    return {
        name: (
            sum(median(wall for wall, _ in seen[name, index]) for index in range(len(photos))),
            sum(median(cpu for _, cpu in seen[name, index]) for index in range(len(photos))),
        )
        for name in ways
    }


def cpu_s() -> float:
    """CPU seconds so far of this process, and of the sandbox's processes, those that have ended included."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    total = usage.ru_utime + usage.ru_stime
    for child in psutil.Process().children():
        if "workers.sandbox.nursery" in child.cmdline():
            total += sum(child.cpu_times()[:4])  # its own, and that of its children
    return total


def measure_downloads(rounds: int) -> Mapping[int, Mapping[str, tuple[float, float]]]:
    """Return wall and CPU milliseconds of originals by their megabytes, fetched in one request and in parts."""
    found = {}
    for megabytes in SIZES_MB:
        data = os.urandom(megabytes * 10**6)
        photo_id, digest = uuid7(), sha256(data).digest()
        storage.put_original(photo_id, BytesIO(data), Format.JPEG.content_type, digest)

        def fetch(data: bytes, photo_id: UUID = photo_id, digest: bytes = digest) -> None:
            with tempfile.TemporaryFile() as original:
                transfers.get_original(photo_id, original, size=len(data), sha256=digest)

        def plainly(data: bytes, fetch: Callable[[bytes], None] = fetch) -> None:
            with patch.object(transfers, "PART_BYTES", len(data)):
                fetch(data)

        found[megabytes] = measure([data], rounds, {"plain": plainly, "parts": fetch}, lambda _: None)
        storage.delete_original(photo_id)
    return found


def show(whole: Any, slow: Any, fetched: Any, photos: int) -> None:
    """Print tables, of milliseconds a photo."""
    print(f"\n{photos} photos, on {os.cpu_count()} cores; milliseconds a photo.\n")
    each = [[name, *(value / photos for value in seen)] for name, seen in (whole | slow).items()]
    names = {"pixels": "pixels alone", "in turn": "task, slow link, uploads in turn", "at once": "task, slow link"}
    print_table(["", "wall", "CPU"], [[names.get(name, name), *times] for name, *times in each])
    print()
    print_table(
        ["original", "plain", "in parts", "CPU plain", "CPU in parts"],
        [
            [f"{megabytes} MB", seen["plain"][0], seen["parts"][0], seen["plain"][1], seen["parts"][1]]
            for megabytes, seen in fetched.items()
        ],
    )


def figures(whole: Any, slow: Any, fetched: Any, photos: int) -> dict[str, float]:
    """The figures."""
    found = {
        "task_cpu_vs_pixels": whole["task"][1] / whole["pixels"][1],
        "task_wall_vs_pixels": whole["task"][0] / whole["pixels"][0],
        "rest_cpu_ms": (whole["task"][1] - whole["pixels"][1]) / photos,
        "uploads_at_once_vs_in_turn": slow["at once"][0] / slow["in turn"][0],
    }
    for name, (wall, cpu) in (whole | slow).items():
        key = name.replace(" ", "_")
        found |= {f"{key}_wall_ms": wall / photos, f"{key}_cpu_ms": cpu / photos}
    for megabytes, seen in fetched.items():
        found |= {
            f"{way}_{megabytes}mb_{kind}_ms": value
            for way, times in seen.items()
            for kind, value in zip(("wall", "cpu"), times, strict=True)
        }
        found[f"parts_vs_plain_{megabytes}mb"] = seen["parts"][0] / seen["plain"][0]
    return found


if __name__ == "__main__":
    main()
