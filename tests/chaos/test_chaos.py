"""60 photos are uploaded while everything fails that can fail; `make chaos` does it with 1,000."""

import pytest

from photofleet.catalog.stages import MAX_ATTEMPTS
from tests.chaos.photos import Kind
from tests.chaos.report import Report
from tests.chaos.run import run

PHOTOS = 60
SEED = 1
PATIENCE_S = 240

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("chaos") / "state"
    report = run(PHOTOS, SEED, folder, patience_s=PATIENCE_S, say=print)
    print(report)  # pytest shows it where one of the tests fails
    return report


def test_the_service_comes_to_rest_with_every_program_up(report: Report) -> None:
    assert report.failures == [], "what was started was not finished, or something does not come back"
    assert report.verdict.queued == [], "both queues are empty, and nothing is in flight"


def test_every_photo_is_accepted_in_the_end_and_none_of_them_is_lost(report: Report) -> None:
    assert report.uploads.refused == [], "no upload is refused because of what happens to the service"
    assert len(report.uploads.accepted) == PHOTOS, "who tries again is accepted in the end"
    assert report.verdict.lost == [], "each has every rendition and its labels, or a recorded failure"


def test_the_dead_letter_queues_hold_the_poison_and_nothing_else(report: Report) -> None:
    assert report.verdict.dead_letters == []


def test_catalog_and_buckets_say_the_same(report: Report) -> None:
    assert report.verdict.inconsistent == [], "what is recorded is there, and what is there is recorded"


def test_the_harm_was_real(report: Report) -> None:
    assert all(report.photos[kind] for kind in Kind)
    for act in (
        "SIGKILL to",
        "SIGTERM to",
        "SIGSTOP to",
        "postgres",
        "AWS: 403",
        "AWS: silence",
        "messages sent again",
    ):
        assert any(act in done for done in report.done), f"{act} was part of it"
    assert report.seen["restarts"] >= 5, "programs were ended, and came back"
    assert report.seen["attempts_repeated"] > MAX_ATTEMPTS, "work was interrupted, and done again, not only on poison"
