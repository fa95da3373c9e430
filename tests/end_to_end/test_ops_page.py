"""The operations page, as the person on call sees and uses it."""

from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from photofleet.images.formats import Format
from tests.end_to_end.conftest import Service, photograph
from tests.pictures import encode, noise

A_WHILE_MS = 120_000
LIVE = "**/ops/live"


@pytest.fixture
def failed_photo(local_service: Service, tmp_path: Path) -> str:
    """The address of a photo that will fail in both stages for one reason, since half of it is missing."""
    half = tmp_path / "half.jpg"
    half.write_bytes(encode(noise(1600, 1200, seed=str(tmp_path)), Format.JPEG)[:9000])
    answer = local_service.upload(half)
    assert answer.status == 201
    address: str = answer.json()["url"]
    return address


def test_what_fails_appears_by_itself_and_a_button_has_it_tried_again(page: Page, failed_photo: str) -> None:
    page.goto("/")
    page.get_by_role("link", name="Operations").click()
    page.evaluate("window.notReloaded = true")
    workers = page.get_by_role("region", name="Workers")
    for name in ("resize@local", "label@local"):
        expect(workers.get_by_role("heading", name=name)).to_be_visible(timeout=A_WHILE_MS)
    failures = page.get_by_role("region", name="Failures")
    resize, label = (failures.get_by_role("button", name=f"Retry {stage}") for stage in ("resize", "label"))
    expect(resize).to_be_visible(timeout=A_WHILE_MS)
    expect(label).to_be_visible(timeout=A_WHILE_MS)
    expect(failures.get_by_text("damaged or incomplete").first).to_be_visible()
    assert page.evaluate("window.notReloaded")
    photograph(page, "ops")

    page.goto(failed_photo)
    expect(page.get_by_text("could not be resized")).to_be_visible()
    page.goto("/ops")
    resize.click()

    notice = page.get_by_text("through resize again")
    expect(notice).to_be_visible()
    expect(resize).to_have_count(0)
    expect(label).to_be_visible()
    photograph(page, "ops-retried")
    # It is really tried: the photo fails again, as it must, and is listed again.
    expect(resize).to_be_visible(timeout=A_WHILE_MS)
    page.reload()
    expect(notice).to_have_count(0)


def test_a_refresh_leaves_focus_scroll_position_and_a_pressed_button_alone(page: Page, failed_photo: str) -> None:
    page.set_viewport_size({"width": 320, "height": 400})
    page.goto("/ops")
    button = page.get_by_role("button", name="Retry").first
    expect(button).to_be_visible(timeout=A_WHILE_MS)
    button.focus()
    button.evaluate("button => { window.marked = button; }")
    scrolled, moment = page.evaluate("scrollY"), page.locator(".ops-moment")
    before = moment.inner_text()
    assert scrolled > 0

    expect(moment).not_to_have_text(before, timeout=A_WHILE_MS)

    assert page.evaluate("document.activeElement === window.marked")
    assert page.evaluate("scrollY") == pytest.approx(scrolled, abs=40)  # a sentence above may have come or gone

    button.hover()
    page.mouse.down()
    before = moment.inner_text()
    for _ in range(2):
        with page.expect_response(LIVE):
            pass
    assert moment.inner_text() == before, "what is pressed moves away"
    page.mouse.up()
    expect(page.get_by_role("status").filter(has_text="again")).to_be_visible()


def test_nobody_is_asked_while_nobody_looks_and_an_outage_is_said(browser: Browser, local_service: Service) -> None:
    # A page of its own: the browser itself complains of the outage in its console.
    context = browser.new_context(base_url=local_service.address)
    page = context.new_page()
    page.goto("/ops")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/ops" in request.url else None)

    page.evaluate("""
        Object.defineProperty(document, "hidden", { get: () => window.isHidden, configurable: true });
        window.look = (hidden) => { window.isHidden = hidden; document.dispatchEvent(new Event("visibilitychange")); };
        window.look(true);
    """)
    page.wait_for_timeout(7_000)
    assert asked == []
    with page.expect_response(LIVE):
        page.evaluate("window.look(false)")

    stale, said = page.locator("#ops-stale"), page.locator("#announcements")
    expect(stale).to_be_hidden()
    page.route(LIVE, lambda route: route.fulfill(status=502, body="<p>Bad gateway</p>"))
    expect(stale).to_be_visible(timeout=A_WHILE_MS)
    expect(said).to_contain_text("could not be brought up to date")
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    photograph(page, "ops-stale")
    page.unroute(LIVE)
    expect(stale).to_be_hidden(timeout=A_WHILE_MS)
    expect(said).not_to_contain_text("could not be brought up to date")
    context.close()


def test_it_works_without_javascript(browser: Browser, local_service: Service, failed_photo: str) -> None:
    context = browser.new_context(base_url=local_service.address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/ops")

    # It loads itself anew until the failure is there.
    button = page.get_by_role("button", name="Retry resize")
    expect(button).to_be_visible(timeout=A_WHILE_MS)
    button.click()

    expect(page.get_by_text("through resize again")).to_be_visible()
    page.wait_for_url("**/ops", timeout=A_WHILE_MS)
    context.close()


@pytest.mark.parametrize("path", ["/ops", "//ops", "/ops/live", "/ops//live", "/./ops", "/%6fps"])
def test_who_comes_through_a_proxy_finds_nothing(local_service: Service, path: str) -> None:
    # Not urllib3, which would tidy up the path.
    connection = HTTPConnection(local_service.address.removeprefix("http://"), timeout=30)
    with closing(connection):
        connection.request("GET", path, headers={"X-Forwarded-For": "203.0.113.9"})
        assert connection.getresponse().status == 404
