"""What becomes of messages, watched at the real queues."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from tests.conftest import running
from tests.photofleet.broker.conftest import StartFleet, announce, eventually
from tests.photofleet.broker.queues import Queues


def test_one_announcement_puts_the_same_readable_message_into_both_queues(queues: Queues) -> None:
    announce("cat")

    (resize,), (label,) = queues.bodies("RESIZE_QUEUE"), queues.bodies("LABEL_QUEUE")

    assert resize == label
    message = json.loads(resize)
    assert message["content-type"] == "application/json"
    assert json.loads(message["body"])[1] == {"photo_id": "cat", "request_id": "r1"}


def test_a_message_is_deleted_when_its_work_is_done(queues: Queues, start_fleet: StartFleet) -> None:
    announce("cat")
    with start_fleet() as fleet:
        eventually(lambda: "cat done" in fleet.notes)
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 0))
    assert queues.counts("LABEL_QUEUE") == (1, 0), "the other fleet's copy is its own"
    assert queues.counts("RESIZE_DEAD_LETTER") == (0, 0)


def test_what_raises_is_buried_with_its_body(queues: Queues, start_fleet: StartFleet) -> None:
    announce("broken")
    with start_fleet():
        eventually(lambda: queues.counts("RESIZE_DEAD_LETTER") == (1, 0))
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 0))
    (body,) = queues.bodies("RESIZE_DEAD_LETTER")
    assert "broken" in body


@pytest.mark.parametrize("body", ["junk", "[]", "{}", '{"properties": null}', '{"properties": {}}'])
def test_what_is_not_ours_is_buried_and_harms_nobody(queues: Queues, start_fleet: StartFleet, body: str) -> None:
    queues.send("RESIZE_QUEUE", body)
    with start_fleet() as fleet:
        eventually(lambda: queues.counts("RESIZE_DEAD_LETTER") == (1, 0))
        announce("cat")
        eventually(lambda: "cat done" in fleet.notes)
    assert queues.bodies("RESIZE_DEAD_LETTER") == [body]


def test_what_is_given_back_comes_again_after_a_while(queues: Queues, start_fleet: StartFleet) -> None:
    announce("again")
    with start_fleet() as fleet:
        eventually(lambda: fleet.notes == ["again"])
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 1))
        time.sleep(3)
        assert fleet.notes == ["again"], "it waits ten seconds"
        eventually(lambda: fleet.notes == ["again", "again"])
    assert queues.counts("RESIZE_DEAD_LETTER") == (0, 0)


def test_a_task_longer_than_the_visibility_timeout_runs_once(queues: Queues, start_fleet: StartFleet) -> None:
    # The queue hides a message for 60 s; the heartbeat of a worker that was told 6 s takes over from there.
    announce("sleep10")
    with start_fleet(PHOTOFLEET_VISIBILITY_TIMEOUT="6") as fleet:
        eventually(lambda: "sleep10 done" in fleet.notes)
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 0))
        assert fleet.notes == ["sleep10", "sleep10 done"]


def test_a_task_that_kills_its_process_is_given_back_and_the_worker_lives(
    queues: Queues, start_fleet: StartFleet
) -> None:
    announce("kill")
    with start_fleet() as fleet:
        eventually(lambda: "kill" in fleet.notes)
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 1))
        announce("cat")
        eventually(lambda: "cat done" in fleet.notes)
    assert queues.counts("RESIZE_DEAD_LETTER") == (0, 0)


def test_a_task_that_hangs_is_ended_and_given_back_and_the_worker_lives(
    queues: Queues, start_fleet: StartFleet
) -> None:
    announce("sleep300")
    with start_fleet(TIME_LIMIT="2") as fleet:
        eventually(lambda: "sleep300" in fleet.notes)
        announce("cat")
        eventually(lambda: "cat done" in fleet.notes)
        assert queues.counts("RESIZE_QUEUE") == (0, 1)
    assert queues.counts("RESIZE_DEAD_LETTER") == (0, 0)


def test_a_worker_told_to_stop_finishes_what_it_does_and_takes_nothing_more(
    queues: Queues, start_fleet: StartFleet
) -> None:
    announce("sleep3")
    with start_fleet() as fleet:
        eventually(lambda: "sleep3" in fleet.notes)
        fleet.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        announce("cat")
        fleet.process.wait(20)
        assert fleet.notes == ["sleep3", "sleep3 done"]
    assert queues.counts("RESIZE_QUEUE") == (1, 0), "what it did not take is there for others at once"


def test_a_worker_that_must_stop_now_gives_back_what_it_holds(queues: Queues, start_fleet: StartFleet) -> None:
    announce("sleep60")
    with start_fleet() as fleet:
        eventually(lambda: "sleep60" in fleet.notes)
        fleet.process.send_signal(signal.SIGQUIT)
        fleet.process.wait(20)
    assert queues.counts("RESIZE_QUEUE") == (1, 0)


def test_a_worker_outlives_an_aws_that_does_not_answer(
    queues: Queues, start_fleet: StartFleet, unused_port: Callable[[], int]
) -> None:
    proxied = unused_port()
    forward = (sys.executable, "-m", "tests.photofleet.broker.forwarder", str(proxied), os.environ["AWS_ENDPOINT_URL"])
    listening = lambda: accepts(proxied)  # noqa: E731
    with start_fleet(AWS_ENDPOINT_URL=f"http://127.0.0.1:{proxied}") as fleet:
        time.sleep(2)
        announce("cat")
        with running(forward, listening):
            eventually(lambda: "cat done" in fleet.notes, 30)
        assert fleet.process.poll() is None


def accepts(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
