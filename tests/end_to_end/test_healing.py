"""Killing any one program of the service heals by itself and loses no photo."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from photofleet.images.formats import Format
from tests.end_to_end.conftest import Service
from tests.pictures import encode, noise

PROGRAMS = ("web", "resize", "label", "sweeper", "postgres", "aws")


def eventually(happened: Callable[[], bool], what: str, seconds: float = 400) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if happened():
                return
        except (urllib3.exceptions.HTTPError, ValueError):
            pass
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", PROGRAMS)
def test_the_service_heals_when_a_program_is_killed(local_service: Service, tmp_path: Path, victim: str) -> None:
    uploaded = []

    def upload() -> bool:
        file = tmp_path / f"{len(uploaded)}.jpg"
        file.write_bytes(encode(noise(400, 300, seed=f"{victim}{len(uploaded)}"), Format.JPEG))
        answer = local_service.upload(file)
        # 200 where it was taken before, and only the answer was lost.
        if answer.status in (200, 201):
            uploaded.append(answer.json()["id"])
        return answer.status in (200, 201)

    eventually(upload, "it takes no photo before")
    killed = local_service.child(victim)["pid"]
    os.kill(killed, signal.SIGKILL)

    eventually(upload, "it takes no photo after")
    eventually(lambda: bool(local_service.status()["ready"]), f"{victim} does not come back")
    assert local_service.child(victim)["pid"] != killed
    for photo_id in uploaded:
        eventually(lambda photo_id=photo_id: local_service.get(f"/api/v1/photos/{photo_id}")["finished"], "it is lost")
        photo = local_service.get(f"/api/v1/photos/{photo_id}")
        assert {stage["state"] for stage in photo["stages"]} == {"done"}
        assert len(photo["renditions"]) == 6
