"""Who does everything to the service that Spot instances, networks, operators and uploaders do, in an order of chance.

The seed decides what is done and in which order; how it falls on the service depends on the machine, too. Acts are
cards of a deck, so that each kind comes as often as every other. One thing it must not do is to have its hand in all
five attempts at one photo, since to give that one up is what the service promises then: before an innocent photo's
attempts run out it takes its hands off until that photo is whole.
"""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil
from sqlalchemy.exc import SQLAlchemyError

from photofleet.catalog.stages import MAX_ATTEMPTS
from tests.chaos.service import VISIBILITY_TIMEOUT_S, WORKERS
from tests.chaos.world import World
from tests.fault_proxy import Fault, FaultProxy

TICK_S = 0.2
MEAN_PAUSE_S = 1.2
PAUSED_S = VISIBILITY_TIMEOUT_S + 5
SHORT_S, LONG_S = (1.0, 2.5), (3.0, 6.0)
"""How long everything fails, and how long a part does."""

MERCY_FROM = MAX_ATTEMPTS - 2
"""Attempts used up from which a photo is spared: one more may be under way, and another may begin at any moment."""

LIVES, RECOVERED_S = 2, 120
"""How often a program is ended before it is left alone for so long: the supervisor starts one that ends again and again
ever later, and there would be little left to harm."""

COPIES = 10
"""How many messages are delivered for the second time in one act."""

WORKER_NAMES = [f"{fleet}-{number}" for fleet, workers in WORKERS.items() for number in range(1, len(workers) + 1)]

SERVICES = ("", "^sqs", "^s3", "^sns")


class Adversary(threading.Thread):
    """Acts until told to stop; then nothing that it did is left."""

    def __init__(self, world: World, proxy: FaultProxy, seed: int, say: Callable[[str], None]):
        super().__init__(name="adversary")
        self.done: Counter[str] = Counter()
        self.dealt = threading.Event()
        """Set when every kind of act has been done."""
        self.failure: BaseException | None = None
        self._world = world
        self._proxy = proxy
        self._random = random.Random(f"adversary {seed}")
        self._say = say
        self._stopped = threading.Event()
        self._tap = world.subscribe_tap()
        self._bodies: list[str] = []
        self._ended: dict[str, tuple[float, int]] = {}
        self._paused: dict[str, list[psutil.Process]] = {}
        self._undo: list[tuple[float, Callable[[], None]]] = []

    def stop(self) -> None:
        """Have it take its hands off, and wait until it has."""
        self._stopped.set()
        self.join()

    def run(self) -> None:
        """Act until stopped."""
        try:
            while not self._stopped.is_set():
                for act in self._shuffled_deck():
                    self._wait(self._random.expovariate(1 / MEAN_PAUSE_S))
                    if self._stopped.is_set():
                        return
                    self._act(act)
                self.dealt.set()
        except BaseException as error:  # noqa: BLE001 -- whatever it is, the run is worth nothing
            self.failure = error
        finally:
            self._undo_all()

    def _shuffled_deck(self) -> Sequence[Callable[[], str | None]]:
        deck = [
            lambda: self._end("web", signal.SIGKILL),
            lambda: self._end("web", signal.SIGTERM),
            lambda: self._end_child("web", signal.SIGKILL),
            lambda: self._end_child("web", signal.SIGTERM),
            *[lambda: self._end(self._worker(), signal.SIGKILL)] * 2,
            *[lambda: self._end(self._worker(), signal.SIGTERM)] * 2,
            *[lambda: self._end_child(self._worker(), signal.SIGKILL)] * 2,
            *[lambda: self._end_child(self._worker(), signal.SIGTERM)] * 2,
            self._pause,
            lambda: self._end("sweeper", self._random.choice((signal.SIGKILL, signal.SIGTERM))),
            lambda: self._end("postgres", signal.SIGINT),
            lambda: self._end("postgres", signal.SIGKILL),
            *[self._redeliver] * 3,
            lambda: self._aws("503", LONG_S, Fault("error", self._service(), 0.5, status=503)),
            lambda: self._aws(
                "500 after the work", LONG_S, Fault("error", self._service(), 0.5, after=True, status=500)
            ),
            lambda: self._aws("403", SHORT_S, Fault("error", self._service(), status=403)),
            lambda: self._aws("silence", LONG_S, Fault("hang", self._service())),
            lambda: self._aws("silence after the work", LONG_S, Fault("hang", self._service(), after=True)),
            lambda: self._aws("cut connections", LONG_S, Fault("drop", self._service(), 0.5)),
            lambda: self._aws(
                "cut connections after the work", LONG_S, Fault("drop", self._service(), 0.5, after=True)
            ),
            lambda: self._aws("no connections", SHORT_S, Fault("refuse")),
        ]
        self._random.shuffle(deck)
        return deck

    def _act(self, act: Callable[[], str | None]) -> None:
        with suppress(psutil.NoSuchProcess):
            if done := act():
                self.done[done] += 1

    def _wait(self, seconds: float) -> None:
        """Let the time pass, undo what is due, and be merciful."""
        until = time.monotonic() + seconds
        while not self._stopped.wait(TICK_S):
            for due, undo in list(self._undo):
                if due <= time.monotonic():
                    self._undo.remove((due, undo))
                    undo()
            if self._must_spare():
                self._spare()
            elif time.monotonic() >= until:
                return

    def _must_spare(self) -> bool:
        try:
            return self._world.most_attempts() >= MERCY_FROM
        except SQLAlchemyError:
            return False  # nothing can be attempted now

    def _spare(self) -> None:
        self.done["mercy"] += 1
        self._say("a photo has hardly an attempt left: hands off until it is done")
        self._undo_all()
        while self._must_spare() and not self._stopped.wait(TICK_S):
            pass

    def _undo_all(self) -> None:
        while self._undo:
            self._undo.pop()[1]()

    # Processes.

    def _worker(self) -> str:
        return self._random.choice([name for name in WORKER_NAMES if name not in self._paused])

    def _end(self, name: str, number: signal.Signals) -> str | None:
        last, times = self._ended.get(name, (0.0, 0))
        if time.monotonic() - last > RECOVERED_S:
            times = 0
        process = self._world.main_process(name)
        if process is None or times >= LIVES:
            return None
        self._say(f"{number.name} to {name}")
        self._ended[name] = (time.monotonic(), times + 1)
        process.send_signal(number)
        return f"{number.name} to {name.partition('-')[0]}"

    def _end_child(self, name: str, number: signal.Signals) -> str | None:
        process = self._world.main_process(name)
        children = process.children() if process else []
        if not children:
            return None
        self._say(f"{number.name} to a process of {name}")
        self._random.choice(children).send_signal(number)
        return f"{number.name} to a process of {name.partition('-')[0]}"

    def _pause(self) -> str | None:
        name = self._worker()
        process = self._world.main_process(name)
        if process is None or self._paused:
            return None
        processes = [process, *process.children()]
        self._say(f"SIGSTOP to {name}, for {PAUSED_S} s")
        for stopped in processes:
            with suppress(psutil.NoSuchProcess):
                stopped.suspend()
        self._paused[name] = processes
        self._undo.append((time.monotonic() + PAUSED_S, lambda: self._resume(name)))
        return f"SIGSTOP to {name.partition('-')[0]}"

    def _resume(self, name: str) -> None:
        for stopped in self._paused.pop(name):
            with suppress(psutil.NoSuchProcess):
                stopped.resume()

    # AWS.

    def _service(self) -> str:
        return self._random.choice(SERVICES)

    def _aws(self, what: str, lengths: tuple[float, float], fault: Fault) -> str:
        seconds = self._random.uniform(*lengths)
        self._say(f"{what} from AWS {fault.matching}, for {seconds:.1f} s")
        self._proxy.inject(fault)
        self._undo = [(due, undo) for due, undo in self._undo if undo != self._proxy.clear]
        self._undo.append((time.monotonic() + seconds, self._proxy.clear))
        return f"AWS: {what}"

    # Messages.

    def _redeliver(self) -> str | None:
        """Deliver some of the messages of before for the second time, in another order."""
        for message in self._world.take(self._tap, hide_s=60):
            self._world.sqs.delete_message(QueueUrl=self._tap, ReceiptHandle=message["ReceiptHandle"])
            self._bodies.append(message["Body"])
        self._random.shuffle(self._bodies)
        again, self._bodies = self._bodies[:COPIES], self._bodies[COPIES:]
        for body in again:
            self._world.sqs.send_message(QueueUrl=self._random.choice([*self._world.queues.values()]), MessageBody=body)
        self.done["copies of messages"] += len(again)
        self._say(f"{len(again)} messages sent again")
        return "messages sent again" if again else None
