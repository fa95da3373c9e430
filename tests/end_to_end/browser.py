"""The Chromium that the browser tests drive: found, or, when run as a program, installed where this machine lets us."""

import os
import shutil
import subprocess
import sys

from playwright.sync_api import sync_playwright

PROGRAMS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
INSTALL_SECONDS = 300.0
PLAYWRIGHT = (sys.executable, "-m", "playwright", "install", "chromium")


def find_browser() -> str | None:
    """The program of a Chromium that works here, be it the system's or one that Playwright downloaded."""
    with sync_playwright() as playwright:
        downloaded = playwright.chromium.executable_path
    candidates = filter(None, map(shutil.which, (*PROGRAMS, downloaded)))
    # Some are there in name only: a word that a snap be installed, or a program without its libraries.
    return next((program for program in candidates if _succeeds(program, "--version")), None)


def main() -> None:
    """Install one if there is none, and say so if that cannot be."""
    if find_browser():
        return
    print("==> Installing Chromium for the browser tests", flush=True)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _succeeds("apt-get", "update", "-qq")
        _succeeds("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium")
    if not find_browser():
        _succeeds(*PLAYWRIGHT)
    if not find_browser():
        print("==> There is no Chromium on this machine, so the browser tests will be skipped.")
        print("    To run them, install Chromium or Chrome as your system does it, or what Playwright brings, with:")
        print(f"    {' '.join(PLAYWRIGHT)} --with-deps")


def _succeeds(*command: str) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if __name__ == "__main__":
    main()
