import json
import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from photofleet.catalog.models import Photo
from photofleet.catalog.stages import GAVE_UP
from photofleet.operations.commands import dlq, status
from tests.photofleet.broker.queues import Queues
from tests.photofleet.catalog.factories import create_photo
from tests.photofleet.operations.conftest import Bury


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(dlq, list(arguments), input=answer)


def test_the_status_is_readable(queues: Queues, give_up: Callable[..., Photo]) -> None:
    give_up("OSError('\x1b[31mdisk full')")

    result = CliRunner().invoke(status)

    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[0].split() == [
        "Queue",
        "Waiting",
        "In",
        "flight",
        "Oldest",
        "Done/min",
        "Dead",
        "letters",
    ]
    resize, label = (line.split() for line in result.output.splitlines()[1:3])
    assert (resize[0], resize[1], resize[2], resize[-1]) == ("resize", "0", "0", "1")
    assert (label[0], label[-1]) == ("label", "0")
    assert re.search(r"resize: 1 photo, the last \d+ s ago: " + re.escape(GAVE_UP), result.output)
    assert r"OSError('\x1b[31mdisk full')" in result.output
    assert "No worker answered." in result.output


def test_the_status_is_there_for_programs(queues: Queues, session: Session) -> None:
    result = CliRunner().invoke(status, ["--json"])

    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert [queue["name"] for queue in found["queues"]] == ["resize", "label"]
    assert (found["failures"], found["workers"], found["workers_error"]) == ([], [], None)


@pytest.mark.parametrize("arguments", [("show",), ("redrive",)])
def test_a_database_that_does_not_answer_is_named_without_a_traceback(
    queues: Queues, dead_database: None, arguments: tuple[str, ...]
) -> None:
    queues.send(
        "RESIZE_DEAD_LETTER",
        '{"headers": {"task": "photofleet.photo_uploaded"}, "body": "[[], '
        '{\\"photo_id\\": \\"01981111-0000-7000-8000-000000000000\\", \\"request_id\\": \\"r1\\"}, {}]"}',
    )

    for result in (run(*arguments), CliRunner().invoke(status)):
        assert result.exit_code == 1
        assert "Error: The database does not answer as it should: " in result.output
        assert "Traceback" not in result.output
    assert queues.counts("RESIZE_DEAD_LETTER") == (1, 0)


def test_dead_letters_are_counted_and_the_oldest_is_told(queues: Queues) -> None:
    for _ in range(2):
        queues.send("LABEL_DEAD_LETTER", "junk")

    result = run("list")

    assert result.exit_code == 0
    heading, resize, label = result.output.splitlines()
    assert heading.split() == ["Queue", "Messages", "Oldest"]
    assert resize.split() == ["resize", "0", "–"]
    assert label.split()[:2] == ["label", "2"]
    assert label.endswith(" s")
    assert queues.counts("LABEL_DEAD_LETTER") == (2, 0)


def test_a_dead_letter_is_shown_with_its_photo_and_its_last_error(
    queues: Queues, give_up: Callable[..., Photo]
) -> None:
    photo = give_up("OSError('disk full')", filename="cat\x1b[2J.jpg", request_id="r-7")

    result = run("show", "resize")

    assert result.exit_code == 0, result.output
    assert f"photofleet.photo_uploaded  photo {photo.id}  request r-7" in result.output
    assert f"cat\\x1b[2J.jpg, uploaded at {photo.uploaded_at:%Y-%m-%d %H:%M:%S} UTC" in result.output
    assert "resize: failed, attempts: 5" in result.output
    assert GAVE_UP in result.output
    assert "OSError('disk full')" in result.output
    assert queues.counts("RESIZE_DEAD_LETTER") == (1, 0)


def test_what_cannot_be_decoded_is_shown_safely_and_cut(queues: Queues) -> None:
    queues.send("LABEL_DEAD_LETTER", "first\nsecond\x9b31m" + 1000 * "x")

    result = run("show")

    assert result.exit_code == 0
    assert "not a message of ours: first\\nsecond\\x9b31mxxx" in result.output
    assert "more characters)" in result.output
    assert len(result.output) < 1000


def test_a_photo_that_the_catalog_does_not_know_is_no_reason_to_hide_its_message(
    queues: Queues, session: Session, bury: Bury
) -> None:
    photo = create_photo(session)
    session.rollback()
    bury(photo, "LABEL")

    result = run("show", "label")

    assert str(photo.id) in result.output
    assert "The catalog knows no such photo." in result.output


def test_dead_letters_are_there_for_programs(queues: Queues, give_up: Callable[..., Photo]) -> None:
    photo = give_up("OSError('disk full')")
    queues.send("LABEL_DEAD_LETTER", "junk\x9b")

    result = run("show", "--json")

    ours, junk = json.loads(result.output)
    assert (ours["queue"], ours["photo_id"], ours["request_id"]) == ("resize", str(photo.id), "r1")
    assert ours["photo"]["filename"] == "photo.jpg"
    assert ours["photo"]["stages"][0]["last_error"] == "OSError('disk full')"
    assert (junk["queue"], junk["body"], junk["photo_id"], junk["photo"]) == ("label", "junk\x9b", None, None)


def test_no_more_are_shown_than_asked_for(queues: Queues) -> None:
    for number in range(3):
        queues.send("LABEL_DEAD_LETTER", f"junk {number}")

    assert run("show", "label", "--limit", "2").output.count("junk") == 2
    assert queues.counts("LABEL_DEAD_LETTER") == (3, 0)


@pytest.mark.parametrize("command", ["show", "redrive"])
def test_where_there_are_none_it_says_so(queues: Queues, session: Session, command: str) -> None:
    assert "here are no dead letters." in run(command).output


def test_a_purge_asks_and_says_how_many(queues: Queues, give_up: Callable[..., Photo], session: Session) -> None:
    photo = give_up()
    queues.send("LABEL_DEAD_LETTER", "junk")

    refused = run("purge", "resize", answer="n\n")
    assert refused.exit_code == 1
    assert "Delete 1 dead letter of resize?" in refused.output
    assert "photofleet retry" in refused.output
    assert queues.counts("RESIZE_DEAD_LETTER") == (1, 0)

    assert run("purge", "resize", answer="y\n").exit_code == 0
    assert queues.counts("RESIZE_DEAD_LETTER") == (0, 0)
    assert queues.counts("LABEL_DEAD_LETTER") == (1, 0)
    session.expire_all()
    assert "failed" in {stage.state for stage in photo.stages}


def test_a_purge_that_was_decided_does_not_ask(queues: Queues) -> None:
    queues.send("LABEL_DEAD_LETTER", "junk")

    assert "1 dead letter deleted" in run("purge", "label", "--yes").output
    assert "no dead letters" in run("purge", "label", "--yes").output
    assert queues.counts("LABEL_DEAD_LETTER") == (0, 0)


def test_a_stage_that_is_none_is_refused_by_name(service: None) -> None:
    result = run("purge", "captions", "--yes")

    assert result.exit_code == 2
    assert "'captions' is not one of 'resize', 'label'" in result.output
