"""A worker that stops takes nothing more and hands back what it has not done, at once."""

import os
import signal
import time

import pytest

from tests.photofleet.broker.conftest import StartFleet, announce, eventually
from tests.photofleet.broker.queues import Queues

AT_ONCE = 8
"""Seconds; by themselves, the messages would reappear after a minute."""


@pytest.mark.fails_on_stock
def test_a_worker_told_to_stop_hands_back_what_it_has_not_started_while_it_finishes_what_it_has(
    queues: Queues, start_fleet: StartFleet
) -> None:
    with start_fleet("--concurrency", "2") as fleet:
        for number in range(40):  # so quick that it reads ahead
            announce(f"sleep0.05-{number}")
        eventually(lambda: len(fleet.notes) > 60)
        for number in range(20):
            announce(f"sleep6-{number}")
        eventually(lambda: sum(note.startswith("sleep6") for note in fleet.notes) == 2)
        fleet.process.send_signal(signal.SIGTERM)

        eventually(lambda: queues.counts("RESIZE_QUEUE") == (18, 2), 5)
        announce("cat")
        fleet.process.wait(20)

        assert sum(note.startswith("sleep6") for note in fleet.notes) == 4, "two were started, and both are done"
        assert "cat" not in fleet.notes
    eventually(lambda: queues.counts("RESIZE_QUEUE") == (19, 0), AT_ONCE)


@pytest.mark.fails_on_stock
def test_a_worker_that_must_stop_now_hands_back_everything(queues: Queues, start_fleet: StartFleet) -> None:
    announce("sleep60-a")
    announce("sleep60-b")
    announce("sleep60-c")
    with start_fleet("--concurrency", "2") as fleet:
        eventually(lambda: len(fleet.notes) == 2)
        fleet.process.send_signal(signal.SIGQUIT)
        fleet.process.wait(20)
    eventually(lambda: queues.counts("RESIZE_QUEUE") == (3, 0), AT_ONCE)


@pytest.mark.fails_on_stock
def test_a_worker_that_is_finishing_and_must_stop_now_hands_back_what_it_was_finishing(
    queues: Queues, start_fleet: StartFleet
) -> None:
    announce("sleep60")
    with start_fleet() as fleet:
        eventually(lambda: "sleep60" in fleet.notes)
        fleet.process.send_signal(signal.SIGTERM)
        time.sleep(2)
        assert fleet.process.poll() is None
        fleet.process.send_signal(signal.SIGQUIT)
        fleet.process.wait(20)
    eventually(lambda: queues.counts("RESIZE_QUEUE") == (1, 0), AT_ONCE)


@pytest.mark.fails_on_stock
def test_a_message_that_meets_an_idle_worker_on_its_way_out_is_there_for_others_at_once(
    queues: Queues, start_fleet: StartFleet
) -> None:
    with start_fleet(PHOTOFLEET_RECEIVE_WAIT="5") as fleet:
        time.sleep(2)
        fleet.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        announce("cat")  # into the request that is still open
        fleet.process.wait(20)
    assert fleet.notes == []
    eventually(lambda: queues.counts("RESIZE_QUEUE") == (1, 0), AT_ONCE)


def test_what_a_killed_worker_held_comes_again_by_itself(queues: Queues, start_fleet: StartFleet) -> None:
    announce("sleep60")
    with start_fleet(PHOTOFLEET_VISIBILITY_TIMEOUT="6") as fleet:
        eventually(lambda: "sleep60" in fleet.notes)
        time.sleep(3)  # its heartbeat says that six seconds are enough
        os.killpg(fleet.process.pid, signal.SIGKILL)
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (1, 0))
