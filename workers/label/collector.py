"""One thread that has the network to itself, and classifies in batches what many threads hand it.

A GPU is fast only on many pictures at once, while every message has a picture of its own. So a worker with a GPU works
on many messages at once, each in a thread that waits here for its own scores, or its own error.

A network that hangs cannot be interrupted, and Celery's time limits do not apply to threads: whoever waits stops
waiting, and the worker has to be started anew, as it has when the network fails.
"""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread

import numpy as np

from workers.failures import Outage
from workers.label.engine import Batch, OutOfMemory, Scores

logger = logging.getLogger(__name__)

PATIENCE_S = 0.05
"""How long the first picture of a batch waits for others."""

LIMIT_S = 60.0
"""How long a thread waits for its scores: many times what the batches take that can be before it."""

HALVED_S = 60.0
"""How long batches stay smaller after memory ran out: whoever shares the GPU may have gone by then."""


@dataclass(frozen=True)
class _Job:
    """Pictures of one photo, which stay together, and who waits for their scores."""

    pictures: Batch
    scores: Future[Scores] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class Collector:
    """Classifies for many threads.

    Args:
        classify: The network: maps pictures (n, size, size, 3) to the scores of n. One thread at a time calls it.
        most: How many pictures a batch holds at most.
        on_failure: Called once, when the network has failed or not answered in time: only another process helps.
        limit: How long a thread waits for its scores, in seconds.
        halved: How long batches stay smaller after memory ran out, in seconds.
    """

    def __init__(
        self,
        classify: Callable[[Batch], Scores],
        most: int,
        *,
        on_failure: Callable[[], None],
        limit: float = LIMIT_S,
        halved: float = HALVED_S,
    ) -> None:
        self._classify, self._most, self._on_failure = classify, most, on_failure
        self._limit, self._halved = limit, halved
        self._reduced, self._reduced_until = most, 0.0
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._left: _Job | None = None
        self._lock = Lock()
        self._is_closed = self._has_given_up = False
        # As a daemon, so that a network that hangs keeps no worker from ending.
        self._thread = Thread(target=self._run, name="network", daemon=True)
        self._thread.start()

    def classify(self, pictures: Batch) -> Scores:
        """Return the scores of a photo's pictures (n, size, size, 3), as the network gives them.

        Raises:
            Outage: The network hangs or fails, its memory is full even for one picture, or the worker is to end.
        """
        job = _Job(pictures)
        with self._lock:  # nothing comes behind the mark of the end
            if self._is_closed:
                raise Outage("The network takes nothing more.")
            self._jobs.put(job)
        try:
            return job.scores.result(self._limit)
        except WaitedTooLong:
            self._give_up(f"The network hangs: a batch is not done after {self._limit:g} seconds.")
            raise Outage(f"The network has not answered within {self._limit:g} seconds.") from None

    def close(self) -> None:
        """Take nothing more, and finish what waits, if the network does not hang."""
        self._end()
        self._thread.join(self._limit)

    def _end(self) -> bool:
        """Take nothing more; return whether that is new."""
        with self._lock:
            is_new, self._is_closed = not self._is_closed, True
            if is_new:
                self._jobs.put(None)
        return is_new

    def _give_up(self, why: str) -> None:
        self._has_given_up = True
        if self._end():
            logger.critical("%s", why)
            self._on_failure()

    def _run(self) -> None:
        while jobs := self._collect():
            if self._has_given_up:  # while these waited
                _fail(jobs, Outage("The network failed or hung before."))
                continue
            try:
                scores = self._in_pieces(np.concatenate([job.pictures for job in jobs]))
            except OutOfMemory as error:
                _fail(jobs, Outage(f"The network has no memory for a single picture: {error}"))
            except Exception as error:
                # All pictures are of one shape, so no photo is to blame. What is wrong with a GPU stays wrong, and a
                # worker that fails at once would take most of the queue.
                logger.exception("The network fails.")
                self._give_up("The network has failed, and is asked no more.")
                _fail(jobs, Outage(f"The network fails: {error}"))
            else:
                _answer(jobs, scores)

    def _collect(self) -> list[_Job]:
        """Wait for a batch: as many jobs as fit, or as come before the first has waited too long; none at the end."""
        first, self._left = self._left or self._jobs.get(), None
        if first is None:
            return []
        jobs, pictures = [first], len(first.pictures)
        while pictures < self._size():
            try:
                job = self._jobs.get(timeout=max(0.0, first.since + PATIENCE_S - time.monotonic()))
            except Empty:
                break
            if job is None:
                self._jobs.put(None)  # for the next time
                break
            if pictures + len(job.pictures) > self._size():
                self._left = job
                break
            jobs.append(job)
            pictures += len(job.pictures)
        return jobs

    def _size(self) -> int:
        return self._most if time.monotonic() >= self._reduced_until else self._reduced

    def _in_pieces(self, pictures: Batch) -> Scores:
        """Classify pictures, in pieces where there are more than a batch holds, or than there is memory for."""
        pieces = list(self._pieces(pictures))
        return Scores(
            np.concatenate([piece.logits for piece in pieces]), np.concatenate([piece.embeddings for piece in pieces])
        )

    def _pieces(self, pictures: Batch) -> Iterator[Scores]:
        most = self._size()
        while len(pictures):
            piece = pictures[:most]
            try:
                yield self._classify(piece)
            except OutOfMemory:
                if len(piece) == 1:
                    raise
                self._reduced = most = len(piece) // 2
                self._reduced_until = time.monotonic() + self._halved
                logger.warning("No memory for %d pictures at once: batches of %d for a while.", len(piece), most)
            else:
                pictures = pictures[len(piece) :]


def _answer(jobs: list[_Job], scores: Scores) -> None:
    first = 0
    for job in jobs:
        last = first + len(job.pictures)
        job.scores.set_result(Scores(scores.logits[first:last], scores.embeddings[first:last]))
        first = last


def _fail(jobs: list[_Job], error: Exception) -> None:
    for job in jobs:
        job.scores.set_exception(error)
