"""One run: the service is started, photos are uploaded while the adversary acts, and when all is quiet it is judged."""

import socket
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from photofleet.catalog.models import STAGES, Photo, Stage
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.postgres import EmbeddedPostgres
from photofleet.local.state import StateFolder
from tests.chaos.adversary import Adversary
from tests.chaos.photos import ChaosPhoto, make_photos
from tests.chaos.report import Report
from tests.chaos.uploads import Uploader
from tests.chaos.verdict import judge
from tests.chaos.world import World, down
from tests.conftest import running
from tests.fault_proxy import FaultProxy

UPLOADING_S = 30
MOST_PER_SECOND = 3.0
"""Photos are uploaded over `UPLOADING_S` at least, and not faster than this, so that all of it meets the adversary."""

NEARLY_DONE = 0.8
"""The adversary acts until so much of the work is done."""

HARM_S = 0.6
"""And no longer than so many seconds for each photo, and `UPLOADING_S` twice over."""

QUIET_S = 3.0
POLL_S = 0.5
TELL_S = 10.0


def run(count: int, seed: int, folder: Path, *, patience_s: float, say: Callable[[str], None]) -> Report:
    """Run it with so many photos, the service's state and log in `folder`.

    `patience_s` is how long the service may take to become quiet when nobody harms it any more.
    """
    state = StateFolder(folder)
    state.prepare()
    port, aws_port, database_port = _unused_ports(3)
    aws, postgres = EmbeddedAWS(state.aws, aws_port), EmbeddedPostgres(state.postgres, database_port)
    postgres.initialise()
    with FaultProxy(aws.endpoint, seed=seed) as proxy:
        ports = map(str, (port, aws_port, database_port))
        command = (sys.executable, "-m", "tests.chaos.service", str(folder), *ports, proxy.address)
        with running(command, lambda: not down(state)):
            world = World(state, aws, postgres)
            try:
                chaos = _Run(world, proxy, f"http://127.0.0.1:{port}", make_photos(count, seed), seed, say)
                return chaos.run(patience_s)
            finally:
                world.close()


class _Run:
    def __init__(
        self,
        world: World,
        proxy: FaultProxy,
        address: str,
        photos: Sequence[ChaosPhoto],
        seed: int,
        say: Callable[[str], None],
    ):
        self._world = world
        self._proxy = proxy
        self._photos = photos
        self._seed = seed
        self._say = say
        self._give_up = threading.Event()
        self._adversary = Adversary(world, proxy, seed, say)
        pace = min(MOST_PER_SECOND, len(photos) / UPLOADING_S)
        self._uploader = Uploader(address, photos, seed, pace, self._give_up)
        self._uploading = threading.Thread(target=self._uploader.run, name="uploads")
        self._over = threading.Event()
        self._telling = threading.Thread(target=self._tell, name="telling")
        self._failures: list[str] = []

    def run(self, patience_s: float) -> Report:
        restarts = self._restarts()
        began = time.monotonic()
        for thread in (self._adversary, self._uploading, self._telling):
            thread.start()
        try:
            self._until(self._is_nearly_done, 2 * UPLOADING_S + HARM_S * len(self._photos))
            self._adversary.stop()
            self._say("hands off; waiting until the service is quiet")
            harmed_s = time.monotonic() - began
            if not self._until(self._is_quiet, patience_s):
                owed = ", ".join(self._owed())
                self._failures.append(f"{patience_s:.0f} s after the last fault there were still: {owed}.")
        finally:
            self._adversary.stop()
            self._give_up.set()
            self._over.set()
            self._uploading.join()
            self._telling.join()
        if self._adversary.failure:
            self._failures.append(f"The adversary failed: {self._adversary.failure!r}")
        uploads = self._uploader.uploads
        if missing := len(self._photos) - len(uploads.accepted) - len(uploads.refused):
            self._failures.append(f"{missing} photos were never accepted.")
        took_s = time.monotonic() - began
        verdict = judge(self._world, uploads)
        seen = {
            "restarts": self._restarts() - restarts,
            **self._look_back(),
            "originals_left_behind": verdict.originals_left,
            "median_upload_s": round(statistics.median(uploads.seconds or [0]), 3),
            "slowest_upload_s": round(max(uploads.seconds, default=0), 1),
            "harmed_s": round(harmed_s),
            "quiet_after_s": round(took_s - harmed_s),
            **{f"requests_{kind}": number for kind, number in self._proxy.done().items()},
        }
        kinds = Counter(str(photo.kind) for photo in self._photos)
        return Report(self._seed, kinds, self._adversary.done, seen, uploads, verdict, self._failures)

    def _tell(self) -> None:
        """Say now and then what the service still has to do."""
        while not self._over.wait(TELL_S):
            with suppress(SQLAlchemyError):
                self._say(f"owed: {', '.join(self._owed()) or 'nothing'}")

    def _until(self, happened: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(SQLAlchemyError):  # the database is being restarted
                if happened():
                    return True
            time.sleep(POLL_S)
        return False

    def _is_nearly_done(self) -> bool:
        if self._adversary.failure:
            return True
        allowed = (1 - NEARLY_DONE) * len(self._photos) * len(STAGES)
        return not self._uploading.is_alive() and self._adversary.dealt.is_set() and self._world.unfinished() <= allowed

    def _is_quiet(self) -> bool:
        """Say whether nothing is owed, and it stays so for a while."""
        since = time.monotonic()
        while not self._owed():
            if time.monotonic() - since > QUIET_S:
                return True
            time.sleep(POLL_S)
        return False

    def _owed(self) -> Sequence[str]:
        """What is still to be done before the service is quiet."""
        owed = ["uploads"] if self._uploading.is_alive() else []
        owed += [f"{program['name']} is {program['state']}" for program in self._world.down()]
        if unfinished := self._world.unfinished():
            owed.append(f"{unfinished} stages")
        for stage in STAGES:
            visible, in_flight = self._world.depth(stage)
            if visible or in_flight:
                owed.append(f"{visible} messages of {stage} and {in_flight} in flight")
        return owed

    def _restarts(self) -> int:
        return sum(program["restarts"] for program in self._world.programs())

    def _look_back(self) -> Mapping[str, int]:
        with self._world.session() as session:
            attempts, stages, most = session.execute(
                select(func.sum(Stage.attempts), func.count(), func.max(Stage.attempts))
            ).one()
            again = session.scalar(select(func.count()).where(Photo.announcements > 1))
        return {"attempts_repeated": attempts - stages, "most_attempts": most, "photos_announced_again": again or 0}


def _unused_ports(count: int) -> Sequence[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
