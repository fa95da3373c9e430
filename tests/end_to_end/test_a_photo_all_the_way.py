"""A photo, from a web form to being found by what is in it, as its uploader sees it."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from photofleet.images.formats import Format
from tests.end_to_end.conftest import Service, photograph
from tests.pictures import corners, encode
from tests.samples import sample

SAMPLES = [sample(name) for name in ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")]
A_WHILE_MS = 90_000


def test_photos_come_back_resized_and_labelled_and_are_found(page: Page, local_service: Service) -> None:
    page.goto("/")
    photograph(page, "empty")

    page.locator("input[type=file]").set_input_files(SAMPLES)

    # Each appears, is worked on, and becomes a picture with its labels, without a reload.
    page.evaluate("window.notReloaded = true")
    cards = page.locator(".card")
    expect(cards).to_have_count(len(SAMPLES), timeout=A_WHILE_MS)
    expect(page.locator(".card img")).to_have_count(len(SAMPLES), timeout=A_WHILE_MS)
    expect(page.locator("[data-live]")).to_have_count(0, timeout=A_WHILE_MS)
    assert page.evaluate("window.notReloaded")
    photograph(page, "gallery")

    # The pictures are really there.
    page.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 0)")

    search = page.get_by_role("combobox")
    search.press_sequentially("ca", delay=50)
    option = page.get_by_role("option", name=re.compile(r"^cat\b"))
    expect(option).to_be_visible()
    option.click()
    page.wait_for_url("**/search?q=cat")
    expect(cards).to_have_count(1)
    expect(cards.locator("img")).to_have_attribute("alt", re.compile("Egyptian cat"))
    photograph(page, "search")

    cards.get_by_role("link").click()
    expect(page.get_by_role("link", name=re.compile("Egyptian cat")).first).to_be_visible()
    expect(page.locator("main img").first).to_be_visible()
    photograph(page, "photo")

    # One grep shows a photo's whole life.
    uploads = (line for line in local_service.log() if "stored png" in line and f"photo_id={page.url[-36:]}" in line)
    (request_id,) = re.findall(r"request_id=(\w+)", next(uploads))
    life = "\n".join(line for line in local_service.log() if request_id in line)
    for event in ("stored png", "announced", "POST /api/v1/photos 201", "resize: done", "label: done"):
        assert event in life


def test_the_form_works_without_javascript(browser: Browser, local_service: Service, tmp_path: Path) -> None:
    good, bad = tmp_path / 'quo"te.jpg', tmp_path / "notes.jpg"
    good.write_bytes(encode(corners(120, 90), Format.JPEG))
    bad.write_text("These are not pixels.")
    context = browser.new_context(base_url=local_service.address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")

    page.locator("input[type=file]").set_input_files([good, bad])
    page.get_by_role("button", name="Upload", exact=True).click()

    expect(page.get_by_text("notes.jpg")).to_be_visible()
    expect(page.get_by_text("This is not a picture we can read.")).to_be_visible()
    photograph(page, "refused")
    context.close()
    newest = local_service.get("/api/v1/photos")["photos"][0]
    assert newest["filename"] == 'quo"te.jpg'


def test_a_photo_that_cannot_be_decoded_is_shown_with_the_reason(
    page: Page, local_service: Service, tmp_path: Path
) -> None:
    truncated = tmp_path / "truncated.jpg"
    truncated.write_bytes(encode(corners(1600, 1200), Format.JPEG)[:9000])

    answer = local_service.upload(truncated)
    assert answer.status == 201
    page.goto(answer.json()["url"])

    expect(page.get_by_text("damaged or incomplete").first).to_be_visible(timeout=A_WHILE_MS)
    expect(page.locator("[data-live]")).to_have_count(0, timeout=A_WHILE_MS)
    photograph(page, "failed")


def test_everything_can_be_reached_and_used_with_the_keyboard(page: Page) -> None:
    page.goto("/")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    reached = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName + '.' + (document.activeElement.type || '')"))

    assert {"A.", "INPUT.text", "INPUT.file"} <= reached
