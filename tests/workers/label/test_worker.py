import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from photofleet.broker import PHOTO_UPLOADED, create_app
from photofleet.catalog.identifiers import uuid7
from tests.photofleet.broker.queues import Queues


def test_a_worker_whose_network_cannot_be_loaded_is_never_up_and_says_why_and_costs_no_photo_an_attempt(
    cloud: Mapping[str, str], queues: Queues, tmp_path: Path
) -> None:
    create_app().send_task(PHOTO_UPLOADED, kwargs={"photo_id": str(uuid7()), "request_id": "r1"})
    missing = tmp_path / "missing.pth"
    settings = {"PHOTOFLEET_LABEL_MODEL": "resnet50", "PHOTOFLEET_LABEL_WEIGHTS": str(missing)}
    environment = {**cloud, **settings, "NOTIFY_SOCKET": str(tmp_path / "notify")}
    command = (sys.executable, "-m", "celery", "--app", "workers.label", "worker", "--queues", "label")
    options = ("--concurrency", "1", "--without-gossip", "--without-mingle", "--without-heartbeat")

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(environment["NOTIFY_SOCKET"])
        systemd.setblocking(False)
        ended = subprocess.run((*command, *options), env=environment, capture_output=True, text=True, timeout=120)
        with pytest.raises(BlockingIOError):
            systemd.recv(1000)

    assert ended.returncode == 1
    assert f"PHOTOFLEET_LABEL_WEIGHTS: {missing} cannot be read" in ended.stderr
    assert queues.counts("LABEL_QUEUE") == (1, 0)
    assert queues.counts("LABEL_DEAD_LETTER") == (0, 0)
