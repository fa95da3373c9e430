"""What a browser shows of a photo while its picture is on its way, and while the page changes around it."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, expect

from photofleet.images.formats import Format
from tests.end_to_end.conftest import Service
from tests.pictures import BLUE, GREEN, RED, WHITE, corners, encode

A_WHILE_MS = 90_000
PICTURES = "**/renditions/**"
#: Where pages ask what has changed.
FRAGMENTS = re.compile(r"/photos/(cards\?|[^/]+/live)")

#: Where in the picture each colour is that it has, as parts of its sides.
QUARTERS = {(0.2, 0.2): RED, (0.8, 0.2): GREEN, (0.2, 0.8): BLUE, (0.8, 0.8): WHITE}
BESIDE_THE_MIDDLE = {(0.48, 0.2): RED, (0.52, 0.2): GREEN, (0.48, 0.8): BLUE, (0.52, 0.8): WHITE}


@pytest.fixture
def plain_page(browser: Browser, local_service: Service) -> Iterator[Page]:
    """A page without JavaScript."""
    context = browser.new_context(base_url=local_service.address, java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.fixture
def photo(plain_page: Page, local_service: Service, tmp_path: Path) -> str:
    """The address of a finished photo, the newest there is; its quarters have different colours."""
    file = tmp_path / "corners.png"
    file.write_bytes(encode(corners(640, 480), Format.PNG))
    address: str = local_service.upload(file).json()["url"]

    for _ in range(A_WHILE_MS // 500):
        if local_service.get(f"/api/v1{address}")["finished"]:
            return address
        plain_page.wait_for_timeout(500)
    raise AssertionError(f"{address} is not finished")


def distances(page: Page, box: str, places: dict[tuple[float, float], tuple[int, int, int]]) -> list[int]:
    """How far the colour at each place in a box is from that of the picture."""
    shot = Image.open(BytesIO(page.locator(box).first.screenshot())).convert("RGB")
    seen = [shot.getpixel((int(x * shot.width), int(y * shot.height))) for x, y in places]
    return [
        max(abs(a - b) for a, b in zip(colour, wanted, strict=True))  # type: ignore[arg-type]
        for colour, wanted in zip(seen, places.values(), strict=True)
    ]


@pytest.mark.parametrize("where", ["gallery", "own page"])
def test_a_blurred_preview_holds_its_place_and_is_covered_by_the_picture(
    plain_page: Page, photo: str, where: str
) -> None:
    own_page = (photo, ".stage img", "#labels-heading")
    address, box, below = ("/", ".frame", ".caption") if where == "gallery" else own_page
    held: list[Route] = []
    is_held = True

    def hold_or_pass(route: Route) -> None:
        if is_held:
            held.append(route)
        else:
            route.continue_()

    plain_page.route(PICTURES, hold_or_pass)
    with plain_page.expect_request(PICTURES):
        plain_page.goto(address, wait_until="domcontentloaded")
    expect(plain_page.locator(".placeholder").first).to_be_visible()
    place = plain_page.locator(below).first.bounding_box()
    assert max(distances(plain_page, box, QUARTERS)) < 40
    assert max(distances(plain_page, box, BESIDE_THE_MIDDLE)) > 60, "it is not blurred"

    is_held = False
    for route in held:
        route.continue_()
    for _ in range(A_WHILE_MS // 500):
        plain_page.wait_for_timeout(500)
        if max(distances(plain_page, box, QUARTERS | BESIDE_THE_MIDDLE)) < 20:
            break
    else:
        raise AssertionError("The preview is still seen.")
    assert plain_page.locator(below).first.bounding_box() == place


def test_a_picture_that_is_there_stays_when_something_else_of_its_photo_changes(page: Page, photo: str) -> None:
    page.goto("/")
    card = page.locator(".card", has=page.locator(f'a[href="{photo}"]'))
    card.locator("img").evaluate("picture => { picture.wasHere = true; }")
    caption = card.locator(".caption")

    card.evaluate("""(card) => {
        card.querySelector(".caption").textContent = "Formerly";
        card.dataset.live = card.id.replace("card-", "");
        document.dispatchEvent(new Event("visibilitychange"));
    }""")

    expect(caption).not_to_have_text("Formerly", timeout=A_WHILE_MS)
    assert card.locator("img").evaluate("picture => picture.wasHere")


@pytest.fixture
def gaps_page(browser: Browser, local_service: Service) -> Iterator[Page]:
    """A page on which pictures may be missing: its console complains of each."""
    context = browser.new_context(base_url=local_service.address)
    yield context.new_page()
    context.close()


def make_anew(page: Page, photo: str) -> None:
    """From now on, the photo's renditions have other keys, and those that the page knows are gone."""
    folder = f"/renditions/{id_of(photo)}/"

    def rename(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace(folder, f"{folder}anew-"))

    def serve(route: Route) -> None:
        if "/anew-" in route.request.url:
            route.continue_(url=route.request.url.replace("/anew-", "/"))
        else:
            route.fulfill(status=404)

    page.route(FRAGMENTS, rename)
    page.route(f"**{folder}**", serve)


def holder_of(page: Page, photo: str) -> Locator:
    """The part of a page that holds the photo's picture."""
    return page.locator(f'[data-photo="{id_of(photo)}"]')


def id_of(photo: str) -> str:
    return photo.removeprefix("/photos/")


@pytest.mark.parametrize("where", ["gallery", "own page"])
def test_a_page_that_was_open_while_renditions_were_made_anew_finds_the_new_ones(
    gaps_page: Page, photo: str, where: str
) -> None:
    make_anew(gaps_page, photo)

    with gaps_page.expect_request(FRAGMENTS) as asked:
        gaps_page.goto("/" if where == "gallery" else photo)

    holder = holder_of(gaps_page, photo)
    expect(holder.locator("img")).to_have_attribute("src", re.compile("/anew-"), timeout=A_WHILE_MS)
    gaps_page.wait_for_function("picture => picture.naturalWidth > 0", arg=holder.locator("img").element_handle())
    keys = re.findall(f"renditions/{id_of(photo)}/([a-z]+)", gaps_page.locator("[data-live-url]").inner_html())
    assert set(keys) == {"anew"}, "not all addresses are new"
    assert max(distances(gaps_page, f"#{holder.get_attribute('id')} img", QUARTERS)) < 20
    expect(gaps_page.locator("#announcements")).to_be_empty()
    if where == "gallery":
        assert parse_qs(urlsplit(asked.value.url).query) == {"id": [id_of(photo)]}, "others were asked for"


@pytest.mark.parametrize("where", ["gallery", "own page"])
def test_a_picture_that_is_gone_for_good_is_asked_for_once(gaps_page: Page, photo: str, where: str) -> None:
    requests: list[str] = []
    gaps_page.on("request", lambda request: requests.append(request.url))
    gaps_page.route(f"**/renditions/{id_of(photo)}/**", lambda route: route.fulfill(status=404))
    gaps_page.clock.install()
    gaps_page.goto("/" if where == "gallery" else photo)
    holder = holder_of(gaps_page, photo)
    expect(holder).to_have_attribute("data-live", re.compile("."), timeout=A_WHILE_MS)

    with gaps_page.expect_response(FRAGMENTS):
        gaps_page.clock.run_for(2_000)
    expect(holder).not_to_have_attribute("data-live", re.compile("."), timeout=A_WHILE_MS)
    gaps_page.clock.run_for(120_000)

    assert len([url for url in requests if FRAGMENTS.search(url) and id_of(photo) in url]) == 1
