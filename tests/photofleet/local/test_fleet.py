from pathlib import Path

import pytest

from photofleet import gpu
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.fleet import stages
from photofleet.local.postgres import EmbeddedPostgres


def command_of(name: str, folder: Path) -> str:
    (folder / "postgres").mkdir(exist_ok=True)
    (service,) = (
        service
        for stage in stages(EmbeddedAWS(folder / "aws", 1), EmbeddedPostgres(folder / "postgres", 2), 3)
        for service in stage
        if service.name == name
    )
    return " ".join(service.command)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is there where a GPU may be."""
    file = tmp_path / "nvidiactl"
    monkeypatch.setattr(gpu, "_DEVICES", (file,))
    return file


def test_without_a_gpu_workers_are_processes(tmp_path: Path, device: Path) -> None:
    assert "--pool prefork --concurrency 1 " in command_of("label", tmp_path)
    assert "--pool prefork --concurrency 1 " in command_of("resize", tmp_path)


def test_with_a_gpu_the_label_worker_has_threads(tmp_path: Path, device: Path) -> None:
    device.touch()

    assert "--pool threads --concurrency 8 " in command_of("label", tmp_path)
    assert "--pool prefork --concurrency 1 " in command_of("resize", tmp_path)


@pytest.mark.parametrize(("setting", "pool"), [("cpu", "prefork"), ("cuda", "threads")])
def test_the_settings_may_say_what_labels(
    setting: str, pool: str, tmp_path: Path, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if setting == "cpu":
        device.touch()
    monkeypatch.setenv("PHOTOFLEET_LABEL_DEVICE", setting)

    assert f"--pool {pool} " in command_of("label", tmp_path)
