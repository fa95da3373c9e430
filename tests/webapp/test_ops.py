"""The operations page, without a browser: who may see it, what it shows, and what its button does."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from photofleet.broker.control import RunningTask, WorkerReport
from photofleet.catalog.models import Photo, Stage
from photofleet.catalog.progress import FailedPhotos
from photofleet.catalog.stages import GAVE_UP, fail_stage, start_stage
from photofleet.operations.status import QueueStatus, Status, get_status
from photofleet.settings import get_settings
from photofleet.sweeper import sweep
from tests.photofleet.broker.queues import Queues
from tests.photofleet.catalog.factories import create_photo
from webapp.application import create_app
from webapp.ops import recent
from webapp.ops.verdict import what_needs_someone

BAD_IMAGE = "The JPEG file is damaged & cannot be decoded."

ADDRESSES = [("GET", "/ops"), ("GET", "/ops/live"), ("POST", "/ops/retry"), ("POST", "/ops"), ("GET", "/ops//live"),
             ("GET", "/ops/nothing"), ("OPTIONS", "/ops")]  # fmt: skip

OUTSIDERS: dict[str, dict[str, Any]] = {
    "another machine": {"environ_overrides": {"REMOTE_ADDR": "10.0.0.7"}},
    "another machine, by IPv6": {"environ_overrides": {"REMOTE_ADDR": "2001:db8::7"}},
    "nobody knows who": {"environ_overrides": {"REMOTE_ADDR": ""}},
    "through a load balancer": {"headers": {"X-Forwarded-For": "203.0.113.9"}},
    "through a proxy that hides for whom": {"headers": {"X-Forwarded-Proto": "https"}},
    "through a proxy that follows the standard": {"headers": {"Forwarded": "for=203.0.113.9"}},
    "through a cache": {"headers": {"Via": "1.1 cache"}},
    "through nginx as it is often set up": {"headers": {"X-Real-IP": "203.0.113.9"}},
    "through nginx as it comes": {"environ_overrides": {"SERVER_PROTOCOL": "HTTP/1.0"}},
    "through CloudFront": {"headers": {"X-Amz-Cf-Id": "1"}},
    "claims to be this machine": {"headers": {"X-Forwarded-For": "127.0.0.1"}},
    "a hostile page's name that leads here": {"headers": {"Host": "evil.example:8000"}},
    "a name that looks like ours": {"headers": {"Host": "localhost.evil.example"}},
    "an address that looks like ours": {"headers": {"Host": "127.0.0.1.evil.example"}},
    "two names": {"headers": {"Host": "localhost, evil.example"}},
    "no name": {"headers": {"Host": ""}},
}


@pytest.fixture
def client(client: FlaskClient, change_settings: Callable[..., None]) -> FlaskClient:
    """As on a site that answers to any name, so that only the page's own guard says who may see it."""
    change_settings(hosts="")
    app = create_app()
    app.testing = False
    return app.test_client()


def failed(session: Session, stage: str, reason: str, last_error: str | None = None) -> UUID:
    photo = create_photo(session)
    start_stage(session, photo.id, stage)
    fail_stage(session, photo.id, stage, reason, last_error)
    session.commit()
    return photo.id


def state(session: Session, photo_id: UUID, stage: str) -> str | None:
    session.rollback()
    return session.scalar(select(Stage.state).where(Stage.photo_id == photo_id, Stage.name == stage))


@pytest.mark.parametrize("who", OUTSIDERS)
def test_for_everybody_but_the_operator_there_is_nothing(client: FlaskClient, session: Session, who: str) -> None:
    photo_id = failed(session, "resize", GAVE_UP)
    nothing = client.open("/nothing", **OUTSIDERS[who])
    assert "Operations" not in nothing.text

    for method, address in ADDRESSES:
        data = {"stage": "resize", "reason": GAVE_UP} if method == "POST" else None
        answer = client.open(address, method=method, data=data, **OUTSIDERS[who])
        assert (answer.status_code, answer.text) == (404, nothing.text), f"{method} {address}"
        assert sorted(answer.headers.keys()) == sorted(nothing.headers.keys()), f"{method} {address}"

    assert state(session, photo_id, "resize") == "failed"


@pytest.mark.parametrize(
    ("address", "host"),
    [("127.0.0.1", "127.0.0.1:8000"), ("127.0.0.1", "LOCALHOST"), ("::1", "[::1]:8000"), ("127.0.0.1", "localhost:80")],
)
def test_on_this_machine_the_page_is_there_and_is_not_kept(client: FlaskClient, address: str, host: str) -> None:
    for path in ("/ops", "/ops/live"):
        answer = client.get(path, environ_overrides={"REMOTE_ADDR": address}, headers={"Host": host})
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"


def test_only_the_operator_finds_a_link_to_it(client: FlaskClient) -> None:
    link = 'href="/ops"'

    assert link in client.get("/").text
    assert link not in client.get("/", headers={"X-Forwarded-For": "203.0.113.9"}).text
    assert link not in client.get("/", headers={"Host": "photos.example"}).text


def test_it_shows_the_numbers_of_each_queue(client: FlaskClient, session: Session, queues: Queues) -> None:
    for number in range(12):
        queues.send("RESIZE_QUEUE", str(number))
    queues.send("LABEL_DEAD_LETTER", "poison")

    page = client.get("/ops").text

    resize, label = page.split('id="queue-label"')
    assert "<dt>Waiting</dt><dd>12</dd>" in resize
    assert "<dt>Dead letters</dt><dd>0</dd>" in resize
    assert "<dt>Dead letters</dt><dd>1</dd>" in label
    assert "1 message in the dead letters of label" in page


def test_it_shows_failures_by_reason_with_what_an_engineer_needs_to_know(client: FlaskClient, session: Session) -> None:
    for _ in range(3):
        failed(session, "resize", BAD_IMAGE)
    failed(session, "label", GAVE_UP, "RuntimeError('<script>alert(1)</script>')")

    page = client.get("/ops").text

    assert "The JPEG file is damaged &amp; cannot be decoded." in page
    assert "resize · 3 photos · newest" in page
    assert "RuntimeError(&#39;&lt;script&gt;alert(1)" in page
    assert page.index(GAVE_UP) < page.index("The JPEG file"), "what the service failed at comes first"
    assert "<script>" not in page
    assert " style=" not in page


def test_when_nothing_has_failed_it_says_so(client: FlaskClient) -> None:
    assert "No photo has failed." in client.get("/ops").text


def test_a_retry_has_the_photos_of_that_stage_and_reason_announced_again_and_says_how_many(
    client: FlaskClient, session: Session, queues: Queues
) -> None:
    given_up = [failed(session, "resize", GAVE_UP) for _ in range(2)]
    other_reason, other_stage = failed(session, "resize", BAD_IMAGE), failed(session, "label", GAVE_UP)
    assert "resize · 2 photos" in client.get("/ops").text

    answer = client.post("/ops/retry", data={"stage": "resize", "reason": GAVE_UP})
    page = client.get(answer.headers["Location"]).text

    assert (answer.status_code, answer.headers["Location"]) == (303, "/ops?stage=resize&retried=2")
    assert "2 photos go through resize again" in page
    assert "resize · 2 photos" not in page, "the numbers are older than the retry"
    assert [state(session, photo_id, "resize") for photo_id in given_up] == ["waiting"] * 2
    assert state(session, other_reason, "resize") == state(session, other_stage, "label") == "failed"

    session.execute(update(Photo).values(uploaded_at=datetime.now(UTC) - timedelta(minutes=5)))
    session.commit()
    sweep()
    announced = "".join(queues.bodies("RESIZE_QUEUE"))
    assert all(str(photo_id) in announced for photo_id in given_up)


def test_a_retry_that_comes_too_late_says_that_there_was_nothing_to_do(client: FlaskClient, session: Session) -> None:
    failed(session, "resize", GAVE_UP)
    form = {"stage": "resize", "reason": GAVE_UP}

    client.post("/ops/retry", data=form)
    again = client.post("/ops/retry", data=form, follow_redirects=True)

    assert again.status_code == 200
    assert "there was nothing to try again" in again.text


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({}, "`stage` must be resize or label."),
        ({"stage": "develop", "reason": GAVE_UP}, "`stage` must be resize or label."),
        ({"stage": "resize"}, "`reason` must be the reason of a failure"),
        ({"stage": "resize", "reason": "a\0b"}, "`reason` must be the reason of a failure"),
    ],
)
def test_a_retry_of_something_unknown_is_answered_in_words(
    client: FlaskClient, form: dict[str, str], complaint: str
) -> None:
    answer = client.post("/ops/retry", data=form)

    assert answer.status_code == 400
    assert complaint in answer.text


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://localhost:3000"}])
def test_a_page_of_another_site_cannot_press_the_button(
    client: FlaskClient, session: Session, headers: dict[str, str]
) -> None:
    photo_id = failed(session, "resize", GAVE_UP)

    answer = client.post("/ops/retry", data={"stage": "resize", "reason": GAVE_UP}, headers=headers)

    assert answer.status_code == 403
    assert state(session, photo_id, "resize") == "failed"


def test_looking_changes_nothing(client: FlaskClient, session: Session, queues: Queues) -> None:
    photo_id = failed(session, "resize", GAVE_UP)
    queues.send("RESIZE_DEAD_LETTER", "poison")

    statuses = [
        client.get(f"{address}?stage=resize&reason={GAVE_UP}&retried=1").status_code
        for address in ("/ops", "/ops/live", "/ops/retry")
    ]

    assert statuses == [200, 200, 405]
    assert state(session, photo_id, "resize") == "failed"
    assert queues.counts("RESIZE_DEAD_LETTER") == (1, 0)


@pytest.mark.parametrize("query", ["stage=resize&retried=many", "stage=<b>&retried=3", "retried=3", "stage=resize"])
def test_an_address_that_somebody_made_up_says_nothing_of_a_retry(client: FlaskClient, query: str) -> None:
    page = client.get(f"/ops?{query}")

    assert page.status_code == 200
    assert 'role="status" data-said-once' not in page.text


def test_many_who_look_at_once_share_one_question(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def counted() -> Status:
        looks.append(threading.get_ident())
        return get_status()

    monkeypatch.setattr(recent, "get_status", counted)
    status, together = recent.RecentStatus(), threading.Barrier(8)

    def look(max_age: float) -> object:
        together.wait()
        return status.get(max_age=max_age)

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(look, [60] * 8))
        assert len(looks) == 1
        assert all(one is seen[0] for one in seen)
        list(pool.map(look, [0] * 8))
        assert len(looks) <= 3, "who comes while one looks waits for the next look, and all of them share that"


def test_when_aws_does_not_answer_the_page_says_so_and_goes_on_looking(
    client: FlaskClient, change_settings: Callable[..., None]
) -> None:
    change_settings(resize_queue_url=get_settings().resize_queue_url + "-gone")

    page, part = client.get("/ops"), client.get("/ops/live")

    assert (page.status_code, part.status_code) == (503, 200)
    assert "AWS does not answer as it should" in page.text
    assert 'data-refresh-url="/ops/live"' in page.text
    assert "AWS does not answer as it should" in part.text


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
IDLE = WorkerReport("resize@a", 1, ())
BUSY = WorkerReport("label@a", 2, (RunningTask("019aa4d2-7e31-7c55-a9ce-0242ac120002", "photo_uploaded", 3.2),))


def queue(**changes: Any) -> QueueStatus:
    numbers = {"waiting": 0, "in_flight": 0, "oldest_s": None, "rate_per_minute": 0.0, "dead_letters": 0}
    return QueueStatus(name="resize", **(numbers | changes))


def failure(reason: str) -> FailedPhotos:
    return FailedPhotos("resize", reason, 2, None, NOW)


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({}, []),
        ({"queues": (queue(waiting=9000, in_flight=8, oldest_s=299, rate_per_minute=0),)}, []),
        ({"failures": (failure(BAD_IMAGE),)}, []),
        (
            {"queues": (queue(dead_letters=1),)},
            ["1 message in the dead letters of resize: `photofleet dlq show resize` says why."],
        ),
        ({"queues": (queue(oldest_s=360),)}, ["A photo has waited for resize for 6 min."]),
        ({"failures": (failure(GAVE_UP),)}, ["2 photos given up by resize."]),
        ({"workers": ()}, ["No worker answers."]),
        ({"workers": None, "workers_error": "AWS."}, ["The workers could not be asked what they do. AWS."]),
    ],
)
def test_only_what_does_not_mend_itself_needs_someone(changes: dict[str, Any], needs: list[str]) -> None:
    well = {"queues": (queue(),), "failures": (), "workers": (IDLE, BUSY), "workers_error": None}

    assert list(what_needs_someone(Status(taken_at=NOW, **(well | changes)))) == needs
