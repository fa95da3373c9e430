"""What becomes of messages, watched at the real queues."""

import json

import pytest
from kombu.exceptions import ChannelError

from photofleet.broker import PHOTO_UPLOADED, create_app
from tests.photofleet.broker.conftest import StartFleet, announce, eventually
from tests.photofleet.broker.queues import Queues


def test_one_announcement_puts_the_same_readable_message_into_both_queues(queues: Queues) -> None:
    announce("cat")

    (resize,), (label,) = queues.bodies("RESIZE_QUEUE"), queues.bodies("LABEL_QUEUE")

    assert resize == label
    message = json.loads(resize)
    assert message["content-type"] == "application/json"
    assert json.loads(message["body"])[1] == {"photo_id": "cat", "request_id": "r1"}


def test_what_is_sent_to_a_queue_is_the_same_message_and_goes_there_alone(queues: Queues) -> None:
    announce("cat")
    (published,) = map(json.loads, queues.bodies("LABEL_QUEUE"))
    queues.empty()

    create_app().send_task(
        PHOTO_UPLOADED,
        kwargs={"photo_id": "cat", "request_id": "r1"},
        queue="resize",
        exchange="",
        exchange_type="direct",
    )

    (sent,) = map(json.loads, queues.bodies("RESIZE_QUEUE"))
    assert queues.counts("LABEL_QUEUE") == (0, 0)
    assert (sent["body"], sent["content-type"]) == (published["body"], published["content-type"])
    assert sent["headers"].keys() == published["headers"].keys()
    assert sent["properties"].keys() == published["properties"].keys()


def test_who_sends_to_a_queue_that_there_is_not_is_told_which_there_are(queues: Queues) -> None:
    with create_app().connection_for_write() as connection, pytest.raises(ChannelError) as refused:
        connection.Producer().publish("hello", routing_key="thumbnails")

    assert str(refused.value) == "There is no queue 'thumbnails'; queue_urls has ['label', 'resize']."


def test_a_message_is_deleted_when_its_work_is_done(queues: Queues, start_fleet: StartFleet) -> None:
    announce("cat")
    with start_fleet() as fleet:
        eventually(lambda: "cat done" in fleet.notes)
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 0))
    assert queues.counts("LABEL_QUEUE") == (1, 0), "the other fleet's copy is its own"
    assert queues.counts("RESIZE_DEAD_LETTER") == (0, 0)


@pytest.mark.fails_on_stock
def test_what_raises_is_buried_with_its_body(queues: Queues, start_fleet: StartFleet) -> None:
    announce("broken")
    with start_fleet():
        eventually(lambda: queues.counts("RESIZE_DEAD_LETTER") == (1, 0))
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 0))
    (body,) = queues.bodies("RESIZE_DEAD_LETTER")
    assert "broken" in body


@pytest.mark.fails_on_stock
@pytest.mark.parametrize("body", ["junk", "[]", "{}", '{"properties": null}', '{"properties": {}}'])
def test_what_is_not_ours_is_buried_and_harms_nobody(queues: Queues, start_fleet: StartFleet, body: str) -> None:
    queues.send("RESIZE_QUEUE", body)
    with start_fleet() as fleet:
        eventually(lambda: queues.counts("RESIZE_DEAD_LETTER") == (1, 0))
        announce("cat")
        eventually(lambda: "cat done" in fleet.notes)
    assert queues.bodies("RESIZE_DEAD_LETTER") == [body]


@pytest.mark.fails_on_stock
def test_what_is_given_back_comes_again_after_a_while(queues: Queues, start_fleet: StartFleet) -> None:
    announce("again")
    with start_fleet(PHOTOFLEET_RETRY_BACKOFF="2") as fleet:
        eventually(lambda: fleet.notes.count("again") == 3)
        first, second, third = (note.at for note in fleet.timed_notes if note.text == "again")
        assert second - first >= 2
        assert third - second >= 4, "the time doubles"
    assert queues.counts("RESIZE_DEAD_LETTER") == (0, 0)


@pytest.mark.fails_on_stock
def test_of_two_workers_one_does_a_task_that_is_longer_than_the_visibility_timeout(
    queues: Queues, start_fleet: StartFleet
) -> None:
    timeout = {"PHOTOFLEET_VISIBILITY_TIMEOUT": "6"}
    announce("sleep15")
    with (
        queues.hiding_for("RESIZE_QUEUE", 6),
        start_fleet(node="resize@one", **timeout) as fleet,
        start_fleet(node="resize@two", **timeout),
    ):
        eventually(lambda: "sleep15 done" in fleet.notes)
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 0))
        assert fleet.notes == ["sleep15", "sleep15 done"]


@pytest.mark.fails_on_stock
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


@pytest.mark.fails_on_stock
def test_a_task_that_hangs_is_ended_and_given_back_and_the_worker_lives(
    queues: Queues, start_fleet: StartFleet
) -> None:
    announce("sleep300")
    with start_fleet(TIME_LIMIT="2") as fleet:
        eventually(lambda: "sleep300" in fleet.notes)
        announce("cat")
        eventually(lambda: "cat done" in fleet.notes)
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 1))
    assert queues.counts("RESIZE_DEAD_LETTER") == (0, 0)


@pytest.mark.fails_on_stock
def test_a_task_that_is_not_known_is_buried(queues: Queues, start_fleet: StartFleet) -> None:
    announce("cat")
    (body,) = queues.bodies("RESIZE_QUEUE")
    queues.empty()
    queues.send("RESIZE_QUEUE", body.replace("photofleet.photo_uploaded", "photofleet.nonesuch"))
    with start_fleet():
        eventually(lambda: queues.counts("RESIZE_DEAD_LETTER") == (1, 0))
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 0))


def test_what_brings_every_worker_down_ends_in_the_dead_letter_queue_by_itself(
    queues: Queues, start_fleet: StartFleet
) -> None:
    announce("kill worker")
    with queues.hiding_for("RESIZE_QUEUE", 1), queues.given_up_after("RESIZE_QUEUE", 3):
        for _ in range(3):
            with start_fleet(PHOTOFLEET_VISIBILITY_TIMEOUT="6") as fleet:
                fleet.process.wait(20)
        announce("cat")
        with start_fleet() as fleet:
            eventually(lambda: "cat done" in fleet.notes)
            eventually(lambda: queues.counts("RESIZE_DEAD_LETTER") == (1, 0))
    assert fleet.notes.count("kill worker") == 3
