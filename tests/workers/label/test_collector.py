"""What threads get from the one that has the network: their own scores, or their own error, in bounded time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, current_thread

import numpy as np
import pytest

from workers.failures import Outage
from workers.label.collector import Collector
from workers.label.engine import Batch, OutOfMemory, Scores

MOST = 8


class Network:
    """One that scores a picture by the value of its first pixel, and notes what it is asked for.

    Args:
        memory: How many pictures it has memory for.
    """

    def __init__(self, memory: int = 1000) -> None:
        self.memory = memory
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()
        self.goes_on = Event()
        self.goes_on.set()
        self.asked: SimpleQueue[None] = SimpleQueue()
        self.fault: Exception | None = None

    def __call__(self, batch: Batch) -> Scores:
        values = batch[:, 0, 0, 0]
        self.batches.append(values.tolist())
        self.threads.add(current_thread().name)
        self.asked.put(None)
        self.goes_on.wait()
        if self.fault:
            raise self.fault
        if len(batch) > self.memory:
            raise OutOfMemory(f"{len(batch)} pictures")
        column = values.astype(np.float32)[:, None]
        return Scores(column, -column)


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.goes_on.set()


Start = Callable[..., Collector]


@pytest.fixture
def start(network: Network) -> Iterator[Start]:
    """A function that starts a collector, whose other settings may be given."""
    started: list[Collector] = []

    def start(most: int = MOST, **settings: float) -> Collector:
        started.append(Collector(network, most, on_failure=lambda: hangs.append(started[-1]), **settings))
        return started[-1]

    hangs: list[Collector] = []
    network.hangs = hangs  # type: ignore[attr-defined]
    yield start
    network.goes_on.set()
    for collector in started:
        collector.close()


def pictures(*values: int) -> Batch:
    return np.array(values, np.uint8)[:, None, None, None].repeat(3, axis=3)


@contextmanager
def threads(collector: Collector) -> Iterator[Callable[..., Sequence[object]]]:
    """For the length of a with block, a function that has a thread for each photo, and returns what each got."""
    with ThreadPoolExecutor(64) as pool:

        def ask(photo: Sequence[int]) -> object:
            try:
                return collector.classify(pictures(*photo)).logits[:, 0].tolist()
            except Exception as error:  # noqa: BLE001 - it is what the thread got
                return type(error)

        yield lambda photos: list(pool.map(ask, photos))


def test_every_thread_gets_the_scores_of_its_own_pictures(network: Network, start: Start) -> None:
    photos = [[number] * (1 + number % 3) for number in range(1, 60)]

    with threads(start()) as ask:
        assert ask(photos) == photos

    assert len(network.batches) < len(photos), "they were classified together"
    assert max(map(len, network.batches)) <= MOST
    assert len(network.threads) == 1, "the network belongs to one thread"


def test_scores_are_those_of_the_network(start: Start) -> None:
    scores = start().classify(pictures(3, 4))

    assert scores.logits.tolist() == [[3], [4]]
    assert scores.embeddings.tolist() == [[-3], [-4]]


def test_a_batch_fills_while_the_one_before_it_is_classified(network: Network, start: Start) -> None:
    network.goes_on.clear()
    collector = start()
    with ThreadPoolExecutor(64) as pool:
        first = pool.submit(collector.classify, pictures(1))
        network.asked.get()
        others = [pool.submit(collector.classify, pictures(value)) for value in range(2, 2 + 2 * MOST)]
        while collector._jobs.qsize() < len(others):  # until all of them wait
            pass
        network.goes_on.set()
        for future in (first, *others):
            future.result()

    assert list(map(len, network.batches)) == [1, MOST, MOST]


def test_a_photo_of_more_pictures_than_a_batch_holds_is_classified_in_pieces(network: Network, start: Start) -> None:
    scores = start(most=2).classify(pictures(1, 2, 3, 4, 5))

    assert scores.logits[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert network.batches == [[1, 2], [3, 4], [5]]


def test_a_network_that_fails_is_an_outage_whatever_the_photos_and_is_asked_no_more(
    network: Network, start: Start
) -> None:
    network.fault = ValueError("broken")
    collector = start()

    with threads(collector) as ask:
        assert ask([[1], [2]]) == [Outage, Outage]
    with pytest.raises(Outage, match="takes nothing more"):
        collector.classify(pictures(3))

    assert network.hangs == [collector]  # type: ignore[attr-defined]


def test_a_network_that_has_failed_is_not_asked_for_what_waited_meanwhile(network: Network, start: Start) -> None:
    network.fault = ValueError("broken")
    network.goes_on.clear()
    collector = start(most=1)

    with ThreadPoolExecutor(64) as pool:
        waiting = [pool.submit(collector.classify, pictures(value)) for value in (1, 2, 3)]
        network.asked.get()
        while collector._jobs.qsize() < 2:
            pass
        network.goes_on.set()

    assert {type(future.exception()) for future in waiting} == {Outage}
    assert len(network.batches) == 1


def test_where_memory_ends_batches_are_halved_until_they_fit_and_stay_so_for_a_while(
    network: Network, start: Start
) -> None:
    network.memory = 3
    collector = start()

    assert collector.classify(pictures(*range(8))).logits[:, 0].tolist() == list(range(8))
    assert list(map(len, network.batches)) == [8, 4, 2, 2, 2, 2]
    network.batches.clear()
    collector.classify(pictures(*range(4)))
    assert list(map(len, network.batches)) == [2, 2], "no memory is asked for in vain"


def test_after_a_while_batches_are_as_large_as_before(network: Network, start: Start) -> None:
    network.memory = 4
    collector = start(halved=0)
    collector.classify(pictures(*range(8)))
    network.batches.clear()
    network.memory = 8

    collector.classify(pictures(*range(8)))

    assert list(map(len, network.batches)) == [8]


def test_no_photo_is_to_blame_where_there_is_no_memory_for_a_single_picture(network: Network, start: Start) -> None:
    network.memory = 0
    with pytest.raises(Outage, match="no memory for a single picture"):
        start().classify(pictures(1))


def test_a_network_that_hangs_is_an_outage_and_is_asked_no_more(network: Network, start: Start) -> None:
    network.goes_on.clear()
    collector = start(limit=0.3)

    with threads(collector) as ask:
        assert ask([[1], [2], [3]]) == [Outage] * 3
        asked = len(network.batches)
        with pytest.raises(Outage, match="takes nothing more"):
            collector.classify(pictures(4))

    assert network.hangs == [collector]  # type: ignore[attr-defined]
    assert len(network.batches) == asked


def test_at_the_end_what_waits_is_finished_and_nothing_more_is_taken(network: Network, start: Start) -> None:
    network.goes_on.clear()
    collector = start(most=1)
    with ThreadPoolExecutor(64) as pool:
        waiting = [pool.submit(collector.classify, pictures(value)) for value in (1, 2, 3)]
        network.asked.get()
        while collector._jobs.qsize() < 2:
            pass
        ending = pool.submit(collector.close)
        network.goes_on.set()
        ending.result()
        assert sorted(future.result().logits.item() for future in waiting) == [1, 2, 3]

    with pytest.raises(Outage):
        collector.classify(pictures(4))
