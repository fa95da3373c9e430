import pytest

from photofleet.metadata import Metadata
from tests.metadata_service import (
    REBALANCE,
    REBALANCE_NOTICE,
    SPOT,
    SPOT_NOTICE,
    TARGET_STATE,
    MetadataService,
)
from workers.drain.notices import Notices


@pytest.fixture
def notices(metadata_service: MetadataService, caplog: pytest.LogCaptureFixture) -> Notices:
    caplog.set_level("INFO", "workers.drain")
    return Notices(Metadata(metadata_service.address))


@pytest.mark.parametrize(
    ("place", "text", "words"),
    [
        (SPOT, SPOT_NOTICE, "Spot interruption, to terminate at 2026-11-22T08:22:00Z"),
        (SPOT, '{"action": "stop", "time": "soon"}', "Spot interruption, to stop at soon"),
        (REBALANCE, REBALANCE_NOTICE, "rebalance recommendation of 2026-11-22T08:20:00Z"),
        (TARGET_STATE, "Terminated", "autoscaling wants it Terminated"),
        (TARGET_STATE, "Warmed:Terminated", "autoscaling wants it Warmed:Terminated"),
    ],
)
def test_a_notice_stands_in_words_until_it_is_taken_back(
    notices: Notices,
    metadata_service: MetadataService,
    caplog: pytest.LogCaptureFixture,
    place: str,
    text: str,
    words: str,
) -> None:
    before = metadata_service.values.copy()
    assert notices.look() == {}

    metadata_service.values[place] = text
    for _ in range(3):
        assert notices.look() == {place: words}

    metadata_service.values = before
    assert notices.look() == {}
    assert caplog.messages == [f"this instance is going to end: {words}", f"taken back: {words}"]


@pytest.mark.parametrize("state", ["InService", "Standby", "Detached", "Warmed:Stopped", "Warmed:Running"])
def test_a_target_state_that_comes_back_is_no_notice(
    notices: Notices, metadata_service: MetadataService, state: str
) -> None:
    metadata_service.values[TARGET_STATE] = state

    assert notices.look() == {}


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (SPOT, ""),
        (SPOT, "terminate"),
        (SPOT, "[]"),
        (SPOT, "null"),
        (SPOT, "{}"),
        (SPOT, '{"action": null, "time": "2026-11-22T08:22:00Z"}'),
        (SPOT, '{"action": "terminate"}'),
        (SPOT, "[" * 5000),
        (REBALANCE, "<html>"),
        (REBALANCE, '{"noticeTime": 5}'),
        (TARGET_STATE, ""),
        (TARGET_STATE, "<h1>Terminated</h1>"),
    ],
)
def test_nonsense_is_no_notice_and_is_logged_once(
    notices: Notices, metadata_service: MetadataService, caplog: pytest.LogCaptureFixture, place: str, text: str
) -> None:
    metadata_service.values[place] = text

    for _ in range(3):
        assert notices.look() == {}

    (line,) = caplog.messages
    assert f"{place} makes no sense" in line


def test_nonsense_in_one_place_does_not_hide_a_notice_in_another(
    notices: Notices, metadata_service: MetadataService
) -> None:
    metadata_service.values |= {SPOT: "<html>", REBALANCE: "<html>", TARGET_STATE: "Terminated"}

    assert list(notices.look()) == [TARGET_STATE]


def test_a_notice_still_stands_in_an_outage_which_is_logged_once_for_each_change(
    notices: Notices, metadata_service: MetadataService, caplog: pytest.LogCaptureFixture
) -> None:
    metadata_service.values[SPOT] = SPOT_NOTICE
    notices.look()
    caplog.clear()

    for status in (500, 500, 503, 503, None, None):
        metadata_service.status = status
        assert list(notices.look()) == [SPOT]

    assert caplog.messages == [
        "the metadata service: it answers with status 500",
        "the metadata service: it answers with status 503",
        "the metadata service is well again",
    ]
