"""`photofleet renditions refresh`: every photo of another setting is resized anew, once, and nothing else waits."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, create_engine, select, update
from sqlalchemy.orm import Session

from photofleet.catalog import database
from photofleet.catalog.models import RESIZE, UNFINISHED, Photo, Stage
from photofleet.catalog.outdated import Goal, Outcome, outcomes, renditions_of
from photofleet.catalog.stages import GAVE_UP, fail_stage
from photofleet.cli import main
from photofleet.images.renditions import revision
from photofleet.operations import refresh, watching
from photofleet.settings import get_settings
from photofleet.sweeper import sweep
from tests.photofleet.broker.queues import Queues
from tests.photofleet.catalog.factories import create_finished_photo, create_photo
from tests.photofleet.operations.fleet import Fleet

COMMAND = (sys.executable, "-c", "from photofleet.cli import main; main()", "renditions", "refresh")

ALL_OF_THEM = 1000
"""A rate at which no test waits."""

pytestmark = pytest.mark.usefixtures("impatience")


def current() -> str:
    return revision(get_settings().rendition_specs)


def goal() -> Goal:
    return renditions_of(current())


@pytest.fixture
def fleet(catalog: Engine, queues: Queues) -> Fleet:
    """The resize fleet, which works when it is told to."""
    return Fleet(catalog, RESIZE, current())


@pytest.fixture
def four_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than four photos may be under way."""
    monkeypatch.setattr(refresh, "UNDER_WAY_S", 0)
    assert refresh.LEAST_UNDER_WAY == 4


class Clock:
    """A clock that goes on as long as somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of a refresh, which looks once in a second by it."""
    clock = Clock()
    monkeypatch.setattr(refresh, "time", clock)
    monkeypatch.setattr(refresh, "POLL_S", 1.0)
    return clock


def outdated(session: Session, number: int) -> list[Photo]:
    photos = [create_finished_photo(session, revision="old") for _ in range(number)]
    session.commit()
    return photos


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["renditions", "refresh", *arguments])


def finish(steps: Iterator[refresh.Progress], fleet: Fleet) -> refresh.Progress:
    """The last progress, while the fleet works."""
    fleet.work()
    for progress in steps:
        last = progress
        fleet.work()
    return last


def revisions(session: Session, photos: list[Photo]) -> list[str | None]:
    session.expire_all()
    return [photo.renditions_revision for photo in photos]


def waiting(session: Session) -> set[UUID]:
    return set(session.scalars(select(Stage.photo_id).where(Stage.name == "resize", Stage.state == "waiting")))


def test_the_photos_of_another_setting_are_resized_anew_and_no_others(
    session: Session, fleet_at_work: Fleet, queues: Queues
) -> None:
    old = outdated(session, 2)
    old[0].renditions_revision = None  # as of the versions before
    others = [create_finished_photo(session, revision=kind) for kind in (current(), "of a deleted photo")]
    others[1].deleted_at = datetime.now(UTC)
    given_up, uploaded = create_photo(session), create_photo(session)
    fail_stage(session, given_up.id, "resize", GAVE_UP)
    session.commit()

    result = run("--rate", "1000")

    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == "2 of 2 photos brought up to date."
    assert fleet_at_work.messages == Counter(photo.id for photo in old)
    assert revisions(session, old) == [current()] * 2
    assert [photo.renditions[0].name for photo in old] == ["w320"] * 2
    assert revisions(session, others) == [current(), "of a deleted photo"]
    assert waiting(session) == {uploaded.id}
    assert "failed" in {stage.state for stage in given_up.stages}
    assert queues.counts("LABEL_QUEUE") == (0, 0), "the label fleet owes nothing, and is not to wake"


def test_where_all_are_up_to_date_it_says_so(session: Session, fleet: Fleet) -> None:
    create_finished_photo(session, revision=current())
    session.commit()

    assert run().output.splitlines()[-1] == "All photos are up to date."


@pytest.mark.usefixtures("four_at_once")
def test_the_newest_come_first_and_few_are_under_way_at_once(session: Session, fleet: Fleet) -> None:
    photos = outdated(session, 6)
    uploaded = create_photo(session)
    session.commit()
    steps = refresh.refresh(goal(), rate=ALL_OF_THEM)

    assert [next(steps).under_way for _ in range(3)] == [0, 4, 4]
    assert waiting(session) == {uploaded.id, *(photo.id for photo in photos[2:])}

    assert finish(steps, fleet) == refresh.Progress(6, Counter({Outcome.REFRESHED: 6}), 0)


@pytest.mark.parametrize(
    ("takes_s", "at_once"),
    [
        pytest.param(0, [0, 4, 0, 4, 0, 8, 0, 16], id="a fast fleet"),
        pytest.param(refresh.UNDER_WAY_S, [0, 4, 0, 4, 0, 4, 0, 4], id="a slow fleet"),
    ],
)
def test_no_more_are_under_way_than_the_fleet_has_done_of_late(
    session: Session, fleet: Fleet, clock: Clock, takes_s: float, at_once: list[int]
) -> None:
    outdated(session, 40)
    steps = refresh.refresh(goal(), rate=ALL_OF_THEM)

    for expected in at_once:
        assert next(steps).under_way == expected
        fleet.work()
        clock.sleep(takes_s)


def test_however_slow_the_fleet_is_the_database_is_asked_once_in_a_second(
    session: Session, fleet: Fleet, clock: Clock
) -> None:
    photos = outdated(session, 12)
    asked_at = []
    for _ in islice(refresh.refresh(goal(), rate=8), 6):
        asked_at.append(clock.now)
        photos.pop().deleted_at = datetime.now(UTC)  # which ends one, and makes room for another
        session.commit()

    assert asked_at == [0, 1, 2, 3, 4, 5]


def test_what_became_of_any_number_of_photos_is_found(session: Session) -> None:
    photo = create_finished_photo(session, revision="old")
    session.flush()
    more_than_a_statement_has_parameters = [UUID(int=number) for number in range(70_000)]

    found = outcomes(session, [*more_than_a_statement_has_parameters, photo.id], goal())

    assert found == {photo.id: Outcome.UNCHANGED}


@pytest.mark.usefixtures("four_at_once")
def test_one_that_was_killed_goes_on_where_it_was_and_what_it_left_under_way_counts(
    session: Session, fleet: Fleet
) -> None:
    photos = outdated(session, 6)
    killed = refresh.refresh(goal(), rate=ALL_OF_THEM)
    assert [next(killed).under_way for _ in range(2)] == [0, 4]
    killed.close()

    steps = refresh.refresh(goal(), rate=ALL_OF_THEM)
    assert [next(steps).under_way for _ in range(2)] == [4, 4]
    assert waiting(session) == {photo.id for photo in photos[2:]}

    assert finish(steps, fleet) == refresh.Progress(6, Counter({Outcome.REFRESHED: 6}), 0)
    assert set(fleet.messages.values()) == {1}
    assert revisions(session, photos) == [current()] * 6


@pytest.mark.usefixtures("four_at_once")
def test_two_at_once_resize_no_photo_twice(session: Session, fleet: Fleet) -> None:
    photos = outdated(session, 6)
    one, other = (refresh.refresh(goal(), rate=ALL_OF_THEM) for _ in range(2))
    assert [next(one).under_way for _ in range(2)] == [0, 4]
    assert [next(other).under_way for _ in range(2)] == [4, 4]
    fleet.work()
    assert [next(other).under_way for _ in range(2)] == [0, 2]

    ends = [finish(steps, fleet) for steps in (one, other)]

    assert [end.ended for end in ends] == [{Outcome.REFRESHED: 6}] * 2
    assert fleet.messages == Counter(photo.id for photo in photos)
    assert revisions(session, photos) == [current()] * 6


def test_what_another_one_has_done_does_not_make_room_for_more(session: Session, fleet: Fleet, clock: Clock) -> None:
    outdated(session, 80)
    one, other = (refresh.refresh(goal(), rate=ALL_OF_THEM) for _ in range(2))
    assert [next(one).under_way for _ in range(2)] == [0, 4]
    while next(other).done < 20:
        fleet.work()
    fleet.work()

    under_way = [next(one).under_way for _ in range(12)]

    assert max(under_way) == under_way[-1] == 4


def said_in_an_outage(
    session: Session, fleet: Fleet, *, begin: Callable[[], None], end: Callable[[], None]
) -> list[str]:
    """What a refresh says of an outage that begins on its way and ends when it has said so, upon which it goes on."""
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        end()

    photos = outdated(session, 6)
    steps = refresh.refresh(goal(), rate=ALL_OF_THEM, say=say)
    assert [next(steps).under_way for _ in range(2)] == [0, 4]
    fleet.work()
    assert next(steps).done == 4
    begin()
    assert next(steps).under_way == 2

    assert finish(steps, fleet) == refresh.Progress(6, Counter({Outcome.REFRESHED: 6}), 0)
    assert fleet.messages == Counter(photo.id for photo in photos)
    return said


@pytest.mark.usefixtures("four_at_once")
def test_once_it_works_it_waits_until_aws_takes_messages_again(
    session: Session, fleet: Fleet, change_settings: Callable[..., None]
) -> None:
    real = get_settings().resize_queue_url

    (said,) = said_in_an_outage(
        session,
        fleet,
        begin=lambda: change_settings(resize_queue_url=f"{real}-gone"),
        end=lambda: change_settings(resize_queue_url=real),
    )

    assert said.startswith("Waiting for the end of this: AWS does not take messages about photos: ")


@pytest.mark.usefixtures("four_at_once")
def test_once_it_works_it_waits_until_the_database_answers_again(
    session: Session, fleet: Fleet, unused_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    away = create_engine(f"postgresql+psycopg://photofleet@127.0.0.1:{unused_port()}/photofleet")

    with monkeypatch.context() as patched:
        (said,) = said_in_an_outage(
            session, fleet, begin=lambda: patched.setattr(database, "get_engine", lambda: away), end=patched.undo
        )

    assert said.startswith("Waiting for the end of this: The database does not answer as it should: connection failed")


def test_a_photo_that_fails_keeps_what_it_had_and_is_not_tried_for_ever(session: Session, fleet_at_work: Fleet) -> None:
    good, bad = outdated(session, 2)
    fleet_at_work.breaks_at = {bad.id}

    result = run("--rate", "1000")

    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == (
        "1 of 2 photos brought up to date; 1 failed and keep what they had, `photofleet status` says why."
    )
    assert revisions(session, [good, bad]) == [current(), "old"]
    assert [rendition.name for rendition in bad.renditions] == ["w160"]
    assert run().output.splitlines()[-1] == "All photos are up to date."


def test_a_photo_that_is_deleted_meanwhile_is_not_waited_for(session: Session, fleet: Fleet) -> None:
    (photo,) = outdated(session, 1)
    steps = refresh.refresh(goal(), rate=ALL_OF_THEM)
    assert [next(steps).under_way for _ in range(2)] == [0, 1]
    photo.deleted_at = datetime.now(UTC)
    session.commit()

    (last,) = steps
    assert last.ended == {Outcome.DELETED: 1}


def test_workers_with_another_setting_end_it_before_the_work_is_done_in_vain(
    session: Session, fleet_at_work: Fleet, four_at_once: None
) -> None:
    outdated(session, 20)
    fleet_at_work.makes = "theirs"

    result = run("--rate", "1000")

    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith(
        "Error: A worker has resized a photo with another PHOTOFLEET_RENDITIONS than this command has"
    )
    assert fleet_at_work.messages.total() <= 8


def test_while_aws_takes_no_messages_it_says_why_in_a_sentence_and_opens_no_photo_again(
    session: Session, fleet: Fleet, change_settings: Callable[..., None]
) -> None:
    photos = outdated(session, 2)
    change_settings(resize_queue_url=f"{get_settings().resize_queue_url}-gone")

    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: AWS does not take messages about photos: An error occurred ")
    assert "NonExistentQueue" in line
    assert waiting(session) == set()
    assert revisions(session, photos) == ["old"] * 2
    assert not any(stage.state in UNFINISHED for photo in photos for stage in photo.stages)


def test_a_database_that_does_not_answer_is_named_without_a_traceback(queues: Queues, dead_database: None) -> None:
    result = run()

    assert result.exit_code == 1
    assert "Error: The database does not answer as it should: " in result.output
    assert "Traceback" not in result.output


def test_an_interrupted_one_says_how_far_it_came_and_that_it_can_go_on(session: Session, queues: Queues) -> None:
    outdated(session, 3)
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "Looking for photos to bring up to date.\n"
        while not waiting(session):
            session.rollback()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (130, "")
    assert out == "\nStopped. 0 of 3 photos brought up to date. Start it again for the others.\n"


def test_where_nobody_watches_it_says_now_and_then_how_far_it_is(
    session: Session, fleet_at_work: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LINE_EVERY_S", -1)
    outdated(session, 2)

    lines = run("--rate", "1000").output.splitlines()

    assert lines[-2] == "2 of 2 photos brought up to date. Under way: 0."


def test_a_refresh_does_not_use_up_what_sweepers_may_announce(
    session: Session, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "LEAST_UNDER_WAY", 60)
    outdated(session, 60)
    session.execute(update(Photo).values(uploaded_at=datetime(2025, 1, 1, tzinfo=UTC)))
    session.commit()
    steps = refresh.refresh(goal(), rate=ALL_OF_THEM)
    assert any(progress.under_way == 60 for progress in steps)
    forgotten = create_photo(session)
    forgotten.uploaded_at = datetime(2025, 1, 1, tzinfo=UTC)
    session.commit()

    assert sweep() == 1

    session.expire_all()
    assert forgotten.announcements == 1
