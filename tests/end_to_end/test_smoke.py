"""The smoke test, on a site that works."""

import subprocess
import sys

from tests.end_to_end.conftest import Service


def smoke(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "tests.smoke", *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_photo_that_nobody_has_is_uploaded_and_found_each_time(local_service: Service) -> None:
    for _ in range(2):
        tried = smoke(local_service.address)
        assert tried.returncode == 0, tried.stdout + tried.stderr
        assert "the search for 'Egyptian cat' finds it" in tried.stdout


def test_a_look_leaves_nothing_behind(local_service: Service) -> None:
    before = [photo["id"] for photo in local_service.get("/api/v1/photos")["photos"]]
    looked = smoke(local_service.address, "--look")
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert [photo["id"] for photo in local_service.get("/api/v1/photos")["photos"]] == before
