"""How long searches take among a million photos: `make bench-search`.

The photos are generated inside the embedded PostgreSQL (data.py), which takes some minutes and a few gigabytes below
build/bench/search; a later run uses them again, and --delete removes them. A search is all that a request does in the
catalog: understanding the words, finding the photos of a page, and loading them with their labels. Photos have no
renditions here, which would be rows that are loaded and never searched.

Each group of searches is done ROUNDS times in turn with the others after a round that does not count, and its 50th and
95th percentiles are printed. Then come the plans of the slowest, and what a photo takes on disk.

Ten million photos take ten times the disk, and no search reads a table as a whole: the window stays what it is, and so
does a word that fills a page from it. What grows is what the index finds of words that are rarer in proportion, or go
together more rarely than each by itself.
"""

import argparse
import gc
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.orm import Session

from photofleet.catalog.database import OPTIONS
from photofleet.catalog.migrate import migrate
from photofleet.catalog.models import Embedding, Label, Photo, PhotoLabel
from photofleet.catalog.search import Order, common_labels, search_photos, similar_photos, suggest
from photofleet.local.postgres import EmbeddedPostgres
from tests.bench.common import BUILD, logged, print_table, unused_port, write_figures
from tests.bench.search.data import generate, sizes
from tests.conftest import running

PHOTOS, EMBEDDINGS = 1_000_000, 50_000
ROUNDS = 5
PAGE = 60
SEED = 7
PLANS = 3
LIMIT_MS = 50

MIDDLING = ("dog", "cat", "bird", "vehicle", "fruit", "furniture", "building", "fish", "insect", "musical instrument")
"""Words that many photos show but not most, of which three are asked for at once."""


@dataclass
class Group:
    """Searches of one kind, and what each took, round by round."""

    name: str
    searches: Mapping[str, Callable[[Session], object]]
    took: list["Took"] = field(default_factory=list)

    def ms(self, percent: int) -> float:
        """The milliseconds within which so many of the searches were done."""
        return quantiles([took.ms for took in self.took], n=100, method="inclusive")[percent - 1]

    def cpu_ms(self, percent: int) -> float:
        """The milliseconds of CPU that so many of the searches took at most."""
        return quantiles([took.cpu_ms for took in self.took], n=100, method="inclusive")[percent - 1]


@dataclass(frozen=True, order=True)
class Took:
    """What one search took: time, and CPU of this process and PostgreSQL's together."""

    cpu_ms: float
    ms: float
    name: str


def main() -> None:
    """Generate what is missing, measure, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.search")
    parser.add_argument("--photos", type=int, default=PHOTOS, help=f"how many photos to generate ({PHOTOS:,})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each search is done, at least 2")
    parser.add_argument("--folder", type=Path, default=BUILD / "search", help="where the database is")
    parser.add_argument("--delete", action="store_true", help="delete the database when done")
    options = parser.parse_args()
    if not Path("/proc/self/schedstat").exists():
        sys.exit("PostgreSQL's CPU is read from /proc, which only Linux has: run this there, or in a container.")
    with database(options.folder, options.photos) as engine:
        measure(engine, options.rounds)
    if options.delete:
        shutil.rmtree(options.folder)


@contextmanager
def database(folder: Path, photos: int) -> Iterator[Engine]:
    """A catalog with so many photos, generated unless it is there."""
    folder = folder / str(photos)
    postgres = EmbeddedPostgres(folder, unused_port())
    postgres.initialise()
    # A quarter of the memory of a small RDS instance; the rest of the files is in the system's cache, as it is there.
    command = (*postgres.command, "-c", "shared_buffers=1GB", "-c", "max_wal_size=8GB")
    with running(logged("search", *command), postgres.answers, stop_signal=signal.SIGINT):
        engine = create_engine(postgres.url, connect_args={"options": OPTIONS})
        generated = folder / "generated"
        if not generated.exists():
            print(f"Generating {photos:,} photos", flush=True)
            owner = create_engine(postgres.url)
            migrate(owner)
            generate(owner, photos, min(photos, EMBEDDINGS))
            owner.dispose()
            generated.touch()
        yield engine
        engine.dispose()


def measure(engine: Engine, rounds: int) -> None:
    """Do all searches, print how long they take, and write the figures."""
    with Session(engine) as session:
        groups = searches(session)
    gc.freeze()  # as the web tier does
    for counted in (False, *(True for _ in range(rounds))):
        for group in groups:
            for name, search in group.searches.items():
                took = measured(engine, name, search)
                if counted:
                    group.took.append(took)
    print_table(
        ("ms", "searches", "p50", "p95", "CPU p50", "CPU p95"),
        [
            (group.name, len(group.searches), group.ms(50), group.ms(95), group.cpu_ms(50), group.cpu_ms(95))
            for group in groups
        ],
    )
    figures = {
        "p95_ms_max": max(group.ms(95) for group in groups),
        "p95_cpu_ms_max": max(group.cpu_ms(95) for group in groups),
    }
    for group in groups:
        slug = group.name.replace(",", "").replace(" ", "_")
        figures |= {f"p50_ms_{slug}": group.ms(50), f"p95_ms_{slug}": group.ms(95)}
    for group in sorted(groups, key=lambda group: group.cpu_ms(95), reverse=True)[:PLANS]:
        name = max(group.took).name
        print(f"\nThe slowest of “{group.name}”: {name}")
        print("\n".join(plans(engine, group.searches[name])))
    with engine.connect() as connection:
        figures |= growth(connection)
    write_figures("search", figures)
    if figures["p95_ms_max"] > LIMIT_MS:
        print(f"That is more than {LIMIT_MS} ms.")


def measured(engine: Engine, name: str, search: Callable[[Session], object]) -> Took:
    """Do a search once."""
    with Session(engine) as session:
        server = Path(f"/proc/{session.scalar(text('SELECT pg_backend_pid()'))}/schedstat")
        cpu, began = time.process_time_ns() + _on_cpu(server), time.perf_counter_ns()
        search(session)
        session.commit()
        ended = time.perf_counter_ns()
        return Took((time.process_time_ns() + _on_cpu(server) - cpu) / 1e6, (ended - began) / 1e6, name)


def _on_cpu(schedstat: Path) -> int:
    """How long a process has run, in nanoseconds: of the scheduler, as other clocks tick a hundred times a second."""
    return int(schedstat.read_text(encoding="ascii").split()[0])


def searches(session: Session) -> Sequence[Group]:
    """All that is measured; which labels are rare or common is looked up."""
    chance = random.Random(SEED)
    counted = select(Label.name).join(PhotoLabel, PhotoLabel.label_id == Label.id).group_by(Label.id)
    leaves = session.scalars(counted.order_by(func.count().desc(), Label.id)).all()
    words = [f'"{name}"' for name in leaves[:: max(len(leaves) // 25, 1)]]
    triples = [chance.sample(MIDDLING, 3) for _ in range(15)]
    mixed = [f'"{a}" "{b}" -"{c}"' for a, b, c in triples]
    pairs = [f'"{a}" "{b}"' for a, b in zip(leaves[20:200:12], leaves[300:480:12], strict=True)]
    groups = []
    for order in Order:
        for name, queries in {
            "one word": words,
            "three words, one negated": mixed,
            "in between": pairs,
            "rare ancestor": ["sea cow", "crustacean -crab", f'"{leaves[-1]}" animal'],
            "common ancestor": ["animal", "animal -dog", "-animal"],
            "format and shape": [
                "type:gif",
                "type:png -orientation:landscape",
                "-type:jpeg dog",
                "orientation:portrait",
            ],
            "sure": ["animal min:80", "dog cat min:70", f'"{leaves[30]}" min:90'],
            "with a period": ["dog from:2024-03 to:2024-05", "animal to:2024", f'"{leaves[40]}" from:2025'],
        }.items():
            groups.append(Group(f"{name}, by {order}", {query: _search(query, order) for query in queries}))
        deep = {}
        for query in ("animal", "dog", "dog cat -bird", f'"{leaves[100]}"'):
            for year in ("2024-06", "2025-06"):
                cursor = _search(f"{query} to:{year}", order)(session).cursor
                deep[f"{query} from {year} on"] = _search(query, order, cursor)
        groups.append(Group(f"deep page, by {order}", deep))
    typed = ("a", "an", "ca", "dog", "espr", "golden ret", "dog be", "z", leaves[-1][:5], "orientation:")
    groups.append(Group("suggestions", {start: _suggestion(start) for start in typed}))
    groups.append(Group("common labels", {"": lambda session: common_labels(session, limit=8)}))
    groups.append(Group("filename", {word: _search(word, Order.DATE) for word in ("IMG_0123456", "IMG_")}))
    seen = session.scalars(select(Photo).join(Embedding, Embedding.photo_id == Photo.id).limit(20)).all()
    groups.append(Group("more like this", {str(photo.id): _similar(photo) for photo in seen}))
    return groups


def _search(query: str, order: Order, cursor: str | None = None) -> Callable[[Session], Any]:
    return lambda session: search_photos(session, query, owner="everybody", order=order, cursor=cursor, limit=PAGE)


def _suggestion(start: str) -> Callable[[Session], object]:
    return lambda session: suggest(session, start, limit=8)


def _similar(photo: Photo) -> Callable[[Session], object]:
    return lambda session: similar_photos(session, photo, limit=24)


def plans(engine: Engine, search: Callable[[Session], object]) -> Sequence[str]:
    """How PostgreSQL runs the statement of a search that takes longest."""
    with engine.connect() as connection:
        asked: list[tuple[str, Any]] = []

        def note(_: Connection, __: object, statement: str, parameters: object, *___: object) -> None:
            if statement.lstrip().startswith(("SELECT", "WITH")):
                asked.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        search(Session(connection))
        event.remove(connection, "before_cursor_execute", note)
        explained = [
            connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement}", parameters).scalars().all()
            for statement, parameters in asked
        ]
    return max(explained, key=lambda lines: float(str(lines[-1]).split()[2]))


def growth(connection: Connection) -> Mapping[str, float]:
    """Print what a photo takes on disk, and what ten million would take."""
    photos = connection.scalar(text("SELECT count(*) FROM photos")) or 1
    embeddings = connection.scalar(text("SELECT count(*) FROM embeddings")) or 1
    rows, total = [], 0.0
    for name, size in sizes(connection).items():
        each = size / (embeddings if "embedding" in name else photos)
        total += each
        rows.append((name, each, each * 10_000_000 / 1e9))
    print()
    print_table(("on disk", "bytes a photo", "GB at 10 M"), [*rows, ("all", total, total * 10_000_000 / 1e9)])
    return {"bytes_per_photo": total}


if __name__ == "__main__":
    main()
