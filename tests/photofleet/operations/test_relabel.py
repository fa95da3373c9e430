"""`photofleet labels refresh`: every photo of another model is labelled anew, and has the old labels until all are."""

import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from photofleet.catalog import superseded
from photofleet.catalog.models import LABEL, Embedding, Photo, PhotoLabel, Stage
from photofleet.catalog.outdated import Outcome, labels_of
from photofleet.catalog.results import FoundLabel, record_labels
from photofleet.catalog.stages import GAVE_UP, fail_stage, finish_stage, reopen_failed
from photofleet.catalog.vector import DIMENSIONS
from photofleet.operations import labels as commands
from photofleet.operations import refresh, watching
from photofleet.operations.relabel import Clearing, clear
from tests.photofleet.broker.queues import Queues
from tests.photofleet.catalog.factories import ESPRESSO, PEMBROKE, TABBY, create_finished_photo, create_photo
from tests.photofleet.operations.fleet import BROKEN, Fleet

OLD, NEW, PERSON = "net@1", "net@2", "person:everybody"

ALL_OF_THEM = 1000
"""A rate at which no test waits."""

pytestmark = pytest.mark.usefixtures("impatience")


@pytest.fixture
def fleet(catalog: Engine, queues: Queues) -> Fleet:
    """The label fleet with the new model, which works when it is told to."""
    return Fleet(catalog, LABEL, NEW)


def outdated(session: Session, number: int = 1) -> list[Photo]:
    """Photos that the old model has labelled."""
    photos = [create_finished_photo(session) for _ in range(number)]
    for photo in photos:
        record_labels(session, photo.id, OLD, [FoundLabel(PEMBROKE, 0.9)], embedding=[0.0, 1.0] * (DIMENSIONS // 2))
    session.commit()
    return photos


def run(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(commands.labels, ["refresh", "--rate", str(ALL_OF_THEM), *arguments], **options)


def said(result: Result) -> str:
    """The last line of what a command printed."""
    return result.output.splitlines()[-1]


def sources(session: Session, photo: Photo) -> list[set[str]]:
    """Who has labelled a photo, and whose vectors it has."""
    found = (select(kind.source).where(kind.photo_id == photo.id) for kind in (PhotoLabel, Embedding))
    return [set(session.scalars(wanted)) for wanted in found]


def waiting(session: Session) -> list[Stage]:
    return list(session.scalars(select(Stage).where(Stage.state == "waiting")))


def test_the_photos_of_another_model_are_labelled_anew_and_no_others(
    session: Session, fleet_at_work: Fleet, queues: Queues
) -> None:
    old = outdated(session, 2)
    session.execute(update(Photo).where(Photo.id == old[0].id).values(labels_source=None))  # as of the versions before
    current, deleted = create_finished_photo(session), create_finished_photo(session)
    record_labels(session, current.id, NEW, [FoundLabel(TABBY, 0.9)])
    deleted.deleted_at = datetime.now(UTC)
    given_up = create_photo(session)
    fail_stage(session, given_up.id, LABEL, GAVE_UP)
    session.commit()

    result = run("--model", NEW)

    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "Looking for photos to bring up to date.",
        "2 of 2 photos brought up to date.",
        "The labels of other models are deleted from 2 photos.",
    ]
    assert fleet_at_work.messages == Counter(photo.id for photo in old)
    assert [sources(session, photo) for photo in old] == [[{NEW}, {NEW}]] * 2
    assert sources(session, current) == [{NEW}, set()]
    assert queues.counts("RESIZE_QUEUE") == (0, 0), "the resize fleet owes nothing, and is not to wake"
    assert said(run("--model", NEW)) == "All photos are up to date."


def test_a_photo_has_the_labels_of_both_models_until_all_photos_are_done(session: Session, fleet: Fleet) -> None:
    photos = outdated(session, 2)
    steps = refresh.refresh(labels_of(NEW), rate=ALL_OF_THEM)
    assert [next(steps).under_way for _ in range(2)] == [0, 2]
    assert [sources(session, photo) for photo in photos] == [[{OLD}, {OLD}]] * 2

    fleet.work()

    assert [sources(session, photo) for photo in photos] == [[{OLD, NEW}, {OLD, NEW}]] * 2
    (last,) = steps
    assert last == refresh.Progress(2, Counter({Outcome.REFRESHED: 2}), 0)
    session.rollback()

    with fleet.at_work():
        assert said(run("--model", NEW)) == "The labels of other models are deleted from 2 photos."
    session.rollback()
    assert [sources(session, photo) for photo in photos] == [[{NEW}, {NEW}]] * 2


def test_what_people_have_said_stays(session: Session, fleet_at_work: Fleet) -> None:
    (photo,) = outdated(session)
    session.add(PhotoLabel(photo_id=photo.id, source=PERSON, label_id=TABBY, confidence=1))
    session.commit()

    assert run("--model", NEW).exit_code == 0

    assert sources(session, photo) == [{NEW, PERSON}, {NEW}]


def test_a_photo_that_cannot_be_labelled_anew_keeps_its_labels(session: Session, fleet_at_work: Fleet) -> None:
    good, bad, older = outdated(session, 3)
    older.labels_source = None
    session.commit()
    fleet_at_work.breaks_at = {bad.id, older.id}

    result = run("--model", NEW)

    assert result.output.splitlines()[1:] == [
        "1 of 3 photos brought up to date; 2 failed and keep what they had, `photofleet status` says why.",
        "The labels of other models are deleted from 1 photo.",
        "After `photofleet retry`, run this again for the photos that failed: their older labels are deleted then.",
    ]
    assert [sources(session, photo)[0] for photo in (good, bad, older)] == [{NEW}, {OLD}, {OLD}]


def test_a_photo_that_failed_and_is_tried_again_loses_its_older_labels_when_it_is_run_again(
    session: Session, fleet_at_work: Fleet
) -> None:
    (photo,) = outdated(session)
    fleet_at_work.breaks_at = {photo.id}
    run("--model", NEW)
    assert reopen_failed(session, error=BROKEN) == 1
    finish_stage(session, photo.id, LABEL)
    record_labels(session, photo.id, NEW, [FoundLabel(TABBY, 0.9)])
    session.commit()
    assert sources(session, photo)[0] == {OLD, NEW}
    session.rollback()

    assert said(run("--model", NEW)) == "The labels of other models are deleted from 1 photo."
    assert sources(session, photo) == [{NEW}, set()]


def test_while_there_are_photos_of_another_model_nothing_is_deleted(
    session: Session, fleet_at_work: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photo,) = outdated(session)

    def while_an_old_worker_labels_what_is_uploaded(*arguments: Any, **options: Any) -> Iterator[refresh.Progress]:
        yield from refresh.refresh(*arguments, **options)
        outdated(session)

    monkeypatch.setattr(watching, "refresh", while_an_old_worker_labels_what_is_uploaded)

    result = run("--model", NEW)

    assert said(result).startswith("1 photo came to be labelled by another model meanwhile: start it again for these.")
    assert sources(session, photo) == [{OLD, NEW}, {OLD, NEW}]


def test_one_that_was_killed_goes_on_where_it_was(session: Session, fleet: Fleet) -> None:
    photos = outdated(session, 6)
    killed = refresh.refresh(labels_of(NEW), rate=ALL_OF_THEM)
    assert [next(killed).under_way for _ in range(2)] == [0, 4]
    killed.close()
    session.rollback()

    with fleet.at_work():
        result = run("--model", NEW)

    assert result.output.splitlines()[1] == "6 of 6 photos brought up to date."
    assert fleet.messages == Counter(photo.id for photo in photos)


@pytest.fixture
def moment(session: Session) -> datetime:
    """A time since which nothing was labelled but one photo, by the new model, as two were long before."""
    old, older, current = outdated(session, 3)
    for photo in (old, older, current):
        record_labels(session, photo.id, NEW, [FoundLabel(TABBY, 0.9)])
    moment = datetime.now(UTC).replace(second=0, microsecond=0)
    for photo in (old, older):
        session.execute(
            update(Stage).where(Stage.photo_id == photo.id).values(updated_at=moment - timedelta(seconds=1))
        )
    session.execute(update(Stage).where(Stage.photo_id == current.id).values(updated_at=moment))
    session.commit()
    return moment


def test_photos_that_the_same_model_has_labelled_before_a_time_are_labelled_anew_once(
    session: Session, fleet_at_work: Fleet, moment: datetime
) -> None:
    again = ("--model", NEW, "--again-before", f"{moment:%Y-%m-%dT%H:%M}")

    assert "2 of 2 photos brought up to date." in run(*again).output.splitlines()

    labelled = session.scalars(select(PhotoLabel.label_id).order_by(PhotoLabel.label_id)).all()
    assert labelled == sorted([TABBY, ESPRESSO, ESPRESSO])
    assert said(run(*again)) == "All photos are up to date."
    assert fleet_at_work.messages.total() == 2


def test_one_of_the_same_model_that_was_killed_goes_on_where_it_was(
    session: Session, fleet: Fleet, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "LEAST_UNDER_WAY", 1)
    killed = refresh.refresh(labels_of(NEW, before=moment), rate=ALL_OF_THEM)
    assert [next(killed).under_way for _ in range(2)] == [0, 1]
    killed.close()

    steps = refresh.refresh(labels_of(NEW, before=moment), rate=ALL_OF_THEM)
    assert next(steps) == refresh.Progress(2, Counter(), 1)
    with fleet.at_work():
        *_, last = steps

    assert last.ended == {Outcome.REFRESHED: 2}
    assert set(fleet.messages.values()) == {1}


def test_a_time_that_is_still_to_come_is_refused_as_it_would_never_be_done(fleet: Fleet) -> None:
    result = run("--model", NEW, "--again-before", "2999-01-01")

    assert result.exit_code == 2
    assert "This time is still to come." in result.output


def test_workers_with_another_model_end_it_before_the_work_is_done_in_vain(
    session: Session, fleet_at_work: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "UNDER_WAY_S", 0)
    photos = outdated(session, 20)
    fleet_at_work.makes = "other@3"

    result = run("--model", NEW)

    assert result.exit_code == 1
    assert said(result) == (
        "Error: A worker has labelled a photo with other@3, and not with net@2. Start it again when all workers have "
        "the model that you mean, or with --model for the one that they have."
    )
    assert fleet_at_work.messages.total() <= 8
    assert all(OLD in sources(session, photo)[0] for photo in photos)


@pytest.mark.parametrize(
    ("named", "meant"), [((), "other@3"), (("--model", "net"), NEW)], ids=["nothing is said", "a name is said"]
)
def test_a_version_that_is_not_said_is_that_of_the_photo_labelled_last_which_is_asked_about(
    session: Session, fleet_at_work: Fleet, named: tuple[str, ...], meant: str
) -> None:
    photos = outdated(session, 3)
    for year, photo, source in zip((2026, 2025, 2024), photos, ("other@3", NEW, OLD), strict=True):
        record_labels(session, photo.id, source, [])
        at = datetime(year, 1, 1, tzinfo=UTC)
        session.execute(update(Stage).where(Stage.photo_id == photo.id).values(updated_at=at))
    session.commit()
    fleet_at_work.makes = meant

    refused = run(*named, input="n\n")
    assert refused.exit_code == 1
    assert refused.output.startswith(
        f"The last photo was labelled by {meant}.\nHave all photos labelled by it? [y/N]: n"
    )
    assert fleet_at_work.messages.total() == 0

    assert run(*named, "--yes").exit_code == 0
    assert fleet_at_work.messages.total() == 2


@pytest.mark.parametrize(
    ("named", "by"), [((), "by a model that says its version"), (("--model", "n_t"), "by n_t")], ids=["nothing", "name"]
)
def test_a_version_that_no_photo_tells_is_to_be_named(
    session: Session, fleet: Fleet, named: tuple[str, ...], by: str
) -> None:
    outdated(session)
    if not named:
        session.execute(update(Photo).values(labels_source=None))
        session.commit()

    result = run(*named)

    assert result.exit_code == 1
    assert said(result).startswith(f"Error: No photo was labelled {by} yet. Name it with its version, as NAME@VERSION")


def test_a_database_that_does_not_answer_is_named_without_a_traceback(queues: Queues, dead_database: None) -> None:
    result = run()

    assert result.exit_code == 1
    assert said(result).startswith("Error: The database does not answer as it should: ")


def test_one_that_is_stopped_while_it_deletes_says_so_and_the_next_goes_on(
    session: Session, fleet_at_work: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photo,) = outdated(session)
    record_labels(session, photo.id, NEW, [])
    session.commit()

    def interrupted(**options: Any) -> Iterator[Clearing]:
        signal.raise_signal(signal.SIGINT)
        yield from clear(**options)

    with monkeypatch.context() as patched:
        patched.setattr(commands, "clear", interrupted)
        result = run("--model", NEW)

    assert result.exit_code == 130
    assert said(result) == (
        "Stopped. The labels of other models are deleted from 0 photos. Start it again for the others."
    )
    assert sources(session, photo)[0] == {OLD}
    assert said(run("--model", NEW)) == "The labels of other models are deleted from 1 photo."


def test_while_it_deletes_it_says_how_far_it_is(
    session: Session, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(superseded, "SPAN", 2)
    monkeypatch.setattr(watching, "LINE_EVERY_S", -1)
    for photo in outdated(session, 3):
        record_labels(session, photo.id, NEW, [])
    session.commit()

    lines = run("--model", NEW).output.splitlines()

    assert lines[-3:] == [
        "The labels of other models are deleted from 2 photos. Gone through: 2 of 3 photos.",
        "The labels of other models are deleted from 3 photos. Gone through: 3 of 3 photos.",
        "The labels of other models are deleted from 3 photos.",
    ]
