"""Dead letters sent back, by the command that an operator types."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from photofleet import storage
from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.models import Photo
from photofleet.catalog.stages import MAX_ATTEMPTS, fail_stage, finish_stage, start_stage
from photofleet.images.formats import Format
from photofleet.operations.commands import dlq
from photofleet.operations.dead_letters import DeadLetterQueue
from photofleet.operations.redrive import redrive
from photofleet.sweeper import sweep
from tests.conftest import running
from tests.photofleet.broker.conftest import eventually
from tests.photofleet.broker.queues import Queues
from tests.photofleet.catalog.factories import create_finished_photo, create_photo
from tests.photofleet.operations.conftest import Bury
from tests.pictures import corners, encode


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dlq, ["redrive", *arguments])


def resize_stage(session: Session, photo: Photo) -> tuple[str, int, str | None]:
    session.expire_all()
    (stage,) = (stage for stage in photo.stages if stage.name == "resize")
    return stage.state, stage.attempts, stage.error


def test_what_was_given_up_is_opened_again_and_its_message_sent_back(
    session: Session, queues: Queues, give_up: Callable[..., Photo]
) -> None:
    photo = give_up()
    (body,) = queues.bodies("RESIZE_DEAD_LETTER")

    result = run("resize")

    assert result.exit_code == 0, result.output
    assert "resize: 1 sent back." in result.output
    assert queues.counts("RESIZE_DEAD_LETTER") == (0, 0)
    assert queues.bodies("RESIZE_QUEUE") == [body]
    assert queues.counts("LABEL_QUEUE") == (0, 0), "the other fleet is not bothered"
    assert resize_stage(session, photo) == ("waiting", 0, None)


def test_the_sweeper_does_not_announce_again_what_was_just_sent_back(
    session: Session, queues: Queues, give_up: Callable[..., Photo]
) -> None:
    photo = give_up()
    photo.uploaded_at = datetime.now(UTC) - timedelta(days=1)
    session.commit()

    run("resize")

    assert sweep() == 0
    assert queues.counts("RESIZE_QUEUE") == (1, 0)


def test_messages_of_photos_to_which_nothing_is_owed_are_dropped(session: Session, queues: Queues, bury: Bury) -> None:
    done, bad, deleted = create_finished_photo(session), create_photo(session), create_photo(session)
    fail_stage(session, bad.id, "resize", "The file is damaged.")
    deleted.deleted_at = datetime.now(UTC)
    session.commit()
    for photo in (done, bad, deleted):
        bury(photo)

    result = run("resize")

    assert "resize: 3 dropped, as nothing is owed any more." in result.output
    assert queues.counts("RESIZE_DEAD_LETTER") == queues.counts("RESIZE_QUEUE") == (0, 0)
    assert resize_stage(session, bad) == ("failed", 0, "The file is damaged.")


def test_what_is_not_about_a_photo_of_ours_is_left(
    session: Session, queues: Queues, bury: Bury, give_up: Callable[..., Photo]
) -> None:
    queues.send("RESIZE_DEAD_LETTER", "junk")
    unknown = create_photo(session)
    session.rollback()
    bury(unknown)
    give_up()

    result = run("resize")

    assert "resize: 1 sent back; 2 left" in result.output
    assert queues.counts("RESIZE_DEAD_LETTER") == (2, 0), "and can be seen at once"


def test_more_than_one_request_can_carry_are_all_seen_once(queues: Queues, give_up: Callable[..., Photo]) -> None:
    for number in range(12):
        queues.send("RESIZE_DEAD_LETTER", f"junk {number}")
    give_up()

    result = run("resize")

    assert "resize: 1 sent back; 12 left" in result.output
    assert queues.counts("RESIZE_DEAD_LETTER") == (12, 0)


def test_what_fails_again_meanwhile_is_not_sent_round_and_round(queues: Queues, give_up: Callable[..., Photo]) -> None:
    for _ in range(2):
        give_up()

    with DeadLetterQueue("resize") as letters:
        sent = 0
        for letter, _ in redrive(letters, most=letters.get_depth().waiting, rate=100):
            queues.send("RESIZE_DEAD_LETTER", letter.body)
            sent += 1

    assert sent == 2
    assert queues.counts("RESIZE_DEAD_LETTER") == (2, 0)


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(
    session: Session, queues: Queues, bury: Bury, give_up: Callable[..., Photo]
) -> None:
    photo = give_up()
    done = create_finished_photo(session)
    session.commit()
    bury(done)

    result = run("--dry-run", "--rate", "0.1")

    assert f"(photo {photo.id}): would be sent back" in result.output
    assert f"(photo {done.id}): would be dropped" in result.output
    assert "changed nothing: 1 sent back; 1 dropped, as nothing is owed any more." in result.output
    assert "label: there are no dead letters." in result.output
    assert queues.counts("RESIZE_DEAD_LETTER") == (2, 0)
    assert queues.counts("RESIZE_QUEUE") == (0, 0)
    assert resize_stage(session, photo)[:2] == ("failed", MAX_ATTEMPTS)
    assert photo.announcements == 0


def test_messages_that_somebody_holds_are_not_denied(queues: Queues) -> None:
    queues.send("RESIZE_DEAD_LETTER", "junk")

    with DeadLetterQueue("resize") as letters:
        letters.look(1)
        result = run("resize")

    assert "there are no dead letters, but 1 that somebody looks at" in result.output


def test_no_more_are_sent_than_asked_for_and_no_faster(queues: Queues, give_up: Callable[..., Photo]) -> None:
    for _ in range(5):
        give_up()

    started = time.monotonic()
    result = run("resize", "--limit", "3", "--rate", "2")
    seconds = time.monotonic() - started

    assert "resize: 3 sent back" in result.output
    assert seconds >= 1, "from the first to the third"
    assert queues.counts("RESIZE_DEAD_LETTER") == (2, 0)
    assert queues.counts("RESIZE_QUEUE") == (3, 0)


def test_an_interrupted_run_hands_back_what_it_holds(
    session: Session, queues: Queues, give_up: Callable[..., Photo]
) -> None:
    photos = [give_up() for _ in range(4)]
    # What these tests start ignores Ctrl-C if a shell has started them with `&`.
    as_in_a_terminal = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{as_in_a_terminal}; from photofleet.operations.commands import dlq; dlq()"
    command = (sys.executable, "-c", program, "redrive", "resize", "--rate", "0.1")

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert "sent back" in process.stdout.readline()
        assert queues.counts("RESIZE_DEAD_LETTER") == (0, 3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "resize: 1 sent back" in out
    assert err.strip() == "Aborted!"
    assert queues.counts("RESIZE_DEAD_LETTER") == (3, 0)
    assert queues.counts("RESIZE_QUEUE") == (1, 0)
    assert sorted(resize_stage(session, photo)[0] for photo in photos) == ["failed"] * 3 + ["waiting"]


def test_a_message_that_could_not_be_sent_back_stays(
    session: Session, queues: Queues, give_up: Callable[..., Photo], change_settings: Callable[..., None]
) -> None:
    give_up()
    change_settings(resize_queue_url=os.environ["PHOTOFLEET_RESIZE_QUEUE_URL"] + "-gone")

    result = run("resize")

    assert result.exit_code == 1
    assert "Error: AWS does not answer as it should" in result.output
    assert "Traceback" not in result.output
    assert queues.counts("RESIZE_DEAD_LETTER") == (1, 0)


def test_after_a_fix_redriving_makes_the_photo_whole(
    session: Session, queues: Queues, bury: Bury, tmp_path: Path
) -> None:
    picture = encode(corners(400, 300), Format.JPEG)
    photo = create_photo(session, id=uuid7(), size=len(picture), sha256=sha256(picture).digest())
    for _ in range(MAX_ATTEMPTS - 1):  # so that the next attempt is the last
        start_stage(session, photo.id, "resize")
    finish_stage(session, photo.id, "label")
    session.commit()
    bury(photo)
    with resize_fleet(tmp_path):
        assert "1 sent back" in run("resize").output
        eventually(lambda: resize_stage(session, photo)[0] == "failed")
        eventually(lambda: queues.counts("RESIZE_DEAD_LETTER") == (1, 0))

        storage.put_original(photo.id, io.BytesIO(picture), "image/jpeg", sha256(picture).digest())
        assert "1 sent back" in run("resize").output
        eventually(lambda: resize_stage(session, photo)[0] == "done")
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 0))

    session.expire_all()
    assert {rendition.name for rendition in photo.renditions} == {"w160", "w320", "w640"}
    assert "failed" not in {stage.state for stage in photo.stages}
    assert queues.counts("RESIZE_DEAD_LETTER") == (0, 0)


def resize_fleet(folder: Path) -> AbstractContextManager[object]:
    log = folder / "log"
    command = (sys.executable, "-m", "celery", "--app", "workers.resize", "worker", "--concurrency", "1")
    options = ("--queues", "resize", "--without-gossip", "--without-mingle", "--without-heartbeat")
    shell = ("sh", "-c", f'exec "$0" "$@" 2> {log}', *command, *options)
    ready = lambda: log.exists() and "ready." in log.read_text()  # noqa: E731
    return running(shell, ready, {"PHOTOFLEET_RECEIVE_WAIT": "1"})
