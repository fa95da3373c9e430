"""A person corrects labels: on a photo's page, and on a selection of photos."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.end_to_end.conftest import Service, photograph
from tests.samples import sample

A_WHILE_MS = 120_000


@pytest.fixture
def cat(page: Page, local_service: Service) -> str:
    """The address of a photo in which a cat was recognised."""
    return finished(page, local_service, "chelsea.png")


@pytest.fixture
def coffee(page: Page, local_service: Service) -> str:
    """The address of a photo in which coffee was recognised."""
    return finished(page, local_service, "coffee.png")


def finished(page: Page, service: Service, name: str) -> str:
    address: str = service.upload(sample(name)).json()["url"]
    page.goto(address)
    expect(page.get_by_role("button", name=re.compile("^(Remove|Undo): ")).first).to_be_visible(timeout=A_WHILE_MS)
    return address


def test_a_label_is_removed_added_and_put_back_without_a_reload(page: Page, cat: str) -> None:
    page.goto(cat)
    page.evaluate("window.notReloaded = true")
    labels = page.get_by_role("region", name=re.compile("In this photo|Nothing recognised"))
    remove = labels.get_by_role("button", name=re.compile("^Remove: ")).first
    name = (remove.get_attribute("aria-label") or "").removeprefix("Remove: ")

    remove.click()

    undo = labels.get_by_role("button", name=f"Undo: {name}")
    expect(undo).to_be_focused()
    expect(labels.get_by_role("link", name=name, exact=True)).to_have_count(0)
    box = labels.get_by_role("combobox")
    box.press_sequentially("domestic do", delay=30)
    page.get_by_role("option", name=re.compile("^dog")).click()
    expect(box).to_have_value("dog")
    labels.get_by_role("button", name="Add").click()
    expect(labels.get_by_text("added by you")).to_have_count(1)
    photograph(page, "photo-corrected")

    undo.click()
    labels.get_by_role("button", name="Undo: dog").click()

    expect(labels.get_by_role("link", name=name, exact=True)).to_be_visible()
    expect(labels.get_by_role("link", name="dog", exact=True)).to_have_count(0)
    assert page.evaluate("window.notReloaded")


def test_a_label_is_added_to_selected_photos_with_the_keyboard_alone_and_that_undone(
    page: Page, cat: str, coffee: str
) -> None:
    page.goto("/")
    page.evaluate("window.notReloaded = true")
    cards = [page.locator(f".card[data-photo='{address[-36:]}']") for address in (cat, coffee)]
    expect(cards[0].get_by_role("checkbox")).to_be_hidden()

    switch = page.get_by_role("checkbox", name="Select", exact=True)
    switch.press("Space")
    for card in cards:
        card.get_by_role("checkbox").press("Space")
    expect(page.get_by_text("2 photos selected")).to_be_visible()
    tools = page.get_by_role("form", name="Labels of selected photos")
    tools.get_by_role("combobox").fill("golden retrievers")
    tools.get_by_role("button", name="Add").press("Enter")

    outcome = page.locator(".selection-outcome")
    expect(outcome).to_contain_text("“golden retriever” added to 2 photos.")
    for card in cards:
        expect(card.locator(".caption")).to_contain_text("golden retriever")
    photograph(page, "selection")
    outcome.get_by_role("button", name="Undo").press("Enter")
    for card in cards:
        expect(card.locator(".caption")).not_to_contain_text("golden retriever")
    cards[0].get_by_role("checkbox").press("Escape")
    expect(switch).to_be_focused()
    expect(tools).to_be_hidden()
    assert page.evaluate("window.notReloaded")


def test_the_forms_work_without_javascript(browser: Browser, local_service: Service, cat: str) -> None:
    context = browser.new_context(base_url=local_service.address, java_script_enabled=False)
    page = context.new_page()
    page.goto(cat)
    page.get_by_label("What else is in it?").fill("crane")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="crane (bird)").click()
    page.get_by_role("button", name="Undo: crane (bird)").click()
    expect(page.get_by_role("link", name="crane (bird)")).to_have_count(0)

    page.goto("/")
    page.get_by_text("Select", exact=True).click()
    page.locator(f".card[data-photo='{cat[-36:]}'] .pick").click()
    page.get_by_role("textbox", name="Label").fill("dog")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("“dog” added to 1 photo.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("“dog” again as it was on 1 photo.")).to_be_visible()
    context.close()


def test_an_operator_finds_a_label_and_sets_its_threshold(page: Page, cat: str) -> None:
    page.goto("/ops")
    page.get_by_role("link", name="Labels that people have corrected").click()
    page.get_by_label("Find any label").fill("crane")
    with page.expect_response("**/ops/labels?q=crane"):
        page.get_by_role("button", name="Find").click()
    photograph(page, "ops-labels")
    page.goto("/ops/labels?q=zebra")

    page.get_by_label("Show it from").fill("85")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("which an operator has set")).to_be_visible()
    photograph(page, "ops-label")
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_text("which comes with the taxonomy")).to_be_visible()
