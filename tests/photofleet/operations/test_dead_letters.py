import json
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from photofleet.announce import announce_photo
from photofleet.broker import PHOTO_UPLOADED
from photofleet.operations.dead_letters import Announcement, DeadLetter, DeadLetterQueue, decode
from tests.photofleet.broker.queues import Queues
from tests.photofleet.catalog.factories import create_photo

PHOTO_ID = uuid4()


def message(task: object = PHOTO_UPLOADED, **arguments: object) -> str:
    return json.dumps({"headers": {"task": task}, "body": json.dumps([[], arguments, {}])})


def test_a_message_that_was_really_announced_says_which_photo_and_which_request(
    queues: Queues, session: Session
) -> None:
    photo = create_photo(session)
    assert announce_photo(photo.id, "r-of-the-upload")

    (body,) = queues.bodies("RESIZE_QUEUE")

    assert decode(body) == Announcement(PHOTO_UPLOADED, photo.id, "r-of-the-upload")


@pytest.mark.parametrize(
    "body",
    [
        "junk",
        "",
        "[]",
        "{}",
        "1" * 5000,
        "[" * 100_000,
        '{"headers": null, "body": "[]"}',
        json.dumps({"headers": {"task": PHOTO_UPLOADED}, "body": 3}),
        json.dumps({"headers": {"task": PHOTO_UPLOADED}, "body": "[[], []]"}),
        message(photo_id="cat", request_id="r1"),
        message(photo_id=7, request_id="r1"),
        message(photo_id=str(PHOTO_ID), request_id=7),
        message(photo_id=str(PHOTO_ID)),
        message("another.task", photo_id=str(PHOTO_ID), request_id="r1"),
        message(["no name"], photo_id=str(PHOTO_ID), request_id="r1"),
    ],
    ids=range(15),
)
def test_what_is_no_message_of_ours_says_nothing(body: str) -> None:
    assert decode(body) is None


def test_what_was_looked_at_is_there_again_at_once_even_after_a_crash(queues: Queues) -> None:
    for number in range(23):
        queues.send("RESIZE_DEAD_LETTER", f"junk {number}")

    def crash(letters: DeadLetterQueue) -> None:
        found.extend(letters.look(100))
        assert queues.counts("RESIZE_DEAD_LETTER") == (0, 23), "nobody else looks at them meanwhile"
        raise RuntimeError

    found: list[DeadLetter] = []
    with pytest.raises(RuntimeError), DeadLetterQueue("resize") as letters:
        crash(letters)

    assert {letter.body for letter in found} == {f"junk {number}" for number in range(23)}
    assert found == sorted(found, key=lambda letter: letter.sent_at)
    assert queues.counts("RESIZE_DEAD_LETTER") == (23, 0)


def test_no_more_is_taken_than_was_asked_for(queues: Queues) -> None:
    for number in range(13):
        queues.send("LABEL_DEAD_LETTER", f"junk {number}")

    with DeadLetterQueue("label") as letters:
        assert len(letters.look(12)) == 12
        assert queues.counts("LABEL_DEAD_LETTER") == (1, 12)


def test_a_look_at_an_empty_queue_finds_nothing(queues: Queues) -> None:
    with DeadLetterQueue("label") as letters:
        assert letters.look(10) == []
