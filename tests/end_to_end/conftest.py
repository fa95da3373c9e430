"""The whole service, started as a user would, and a browser to use it with."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
from playwright.sync_api import Browser, Page, sync_playwright

from photofleet.catalog.models import STAGES
from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.settings import variable
from tests.conftest import guarded
from tests.end_to_end.browser import find_browser

VISIBILITY_TIMEOUT_S = 10
"""What a killed worker held is tried again after so long, which the queues on AWS have as a minute."""

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
# Chromium as root has no sandbox; the others keep it from calling home, which a test must not.
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync")  # fmt: skip


@dataclass(frozen=True)
class Service:
    """The running service."""

    address: str
    state: Path

    def status(self) -> dict[str, Any]:
        """What `photofleet local status --json` says."""
        done = photofleet("status", "--state", str(self.state), "--json")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def child(self, name: str) -> dict[str, Any]:
        """What it says of one program."""
        return next(child for child in self.status()["services"] if child["name"] == name)

    def calls(self) -> list[dict[str, Any]]:
        """Which actions of AWS were asked for, by which access key, and whether that was allowed."""
        return [json.loads(line) for line in (self.state.parent / "calls").read_text(encoding="utf-8").splitlines()]

    def log(self) -> list[str]:
        """The lines that all programs have logged."""
        return (self.state / "photofleet.log").read_text(encoding="utf-8").splitlines()

    def get(self, path: str) -> dict[str, Any]:
        """The JSON at an address of the API."""
        found: dict[str, Any] = urllib3.request("GET", self.address + path, timeout=30, retries=False).json()
        return found

    def upload(self, file: Path) -> urllib3.BaseHTTPResponse:
        """The answer to one file, uploaded through the API."""
        fields = {"photo": (file.name, file.read_bytes())}
        return urllib3.request("POST", f"{self.address}/api/v1/photos", fields=fields, timeout=60, retries=False)


def photofleet(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "photofleet.cli", "local", *arguments)
    environment = os.environ | {variable(name): str(value) for name, value in settings.items()}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def hide_messages_for(seconds: int, aws: EmbeddedAWS) -> None:
    root = aws.client_environment()
    sqs, outputs = stacks.client(root, "sqs"), stacks.launched(root)
    for stage in STAGES:
        sqs.set_queue_attributes(
            QueueUrl=outputs[f"{stage.title()}QueueUrl"], Attributes={"VisibilityTimeout": str(seconds)}
        )


@pytest.fixture(scope="session")
def local_service(tmp_path_factory: pytest.TempPathFactory, unused_port: Callable[[], int]) -> Iterator[Service]:
    """`photofleet local up`, on free ports and an empty state folder."""
    state = tmp_path_factory.mktemp("local") / "state"
    ports = {option: unused_port() for option in ("--port", "--aws-port", "--database-port")}
    options = [word for option, port in ports.items() for word in (option, str(port))]
    os.environ["EMULATOR_NOTES"] = str(state.parent / "calls")
    started = photofleet("up", "--detach", "--state", str(state), *options, visibility_timeout=VISIBILITY_TIMEOUT_S)
    assert started.returncode == 0, started.stdout + started.stderr
    service = Service(f"http://127.0.0.1:{ports['--port']}", state)
    with guarded(service.status()["pid"]):
        hide_messages_for(VISIBILITY_TIMEOUT_S, EmbeddedAWS(state / "aws", ports["--aws-port"]))
        yield service
        stopped = photofleet("down", "--state", str(state))
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    program = find_browser()
    if program is None:
        pytest.skip("There is no Chromium on this machine; `make browser` says how to install one.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, local_service: Service) -> Iterator[Page]:
    """A page of a desktop browser; whatever its console complains about fails the test."""
    context = browser.new_context(base_url=local_service.address, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert not complaints


def photograph(page: Page, name: str) -> None:
    """Keep screenshots of the page on a desktop and a phone, light and dark, in build/screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    for device, width, height in (("desktop", 1440, 900), ("phone", 360, 740)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.screenshot(path=SCREENSHOTS / f"{name}-{device}-{scheme}.png", full_page=True)
            too_wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            assert not too_wide, f"{name} is wider than a {device}"
    page.emulate_media(color_scheme="light")
    if before:
        page.set_viewport_size(before)
