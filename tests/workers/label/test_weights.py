import hashlib
import os
import time
from pathlib import Path
from typing import IO

import pytest
from botocore.exceptions import ClientError

from photofleet.settings import LabelSettings
from workers.label import weights
from workers.label.weights import ModelError, read_weights

CONTENT = b"the weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Bucket:
    """S3 with some objects, which counts what is fetched."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects
        self.fetched: list[str] = []

    def download_fileobj(self, bucket: str, key: str, file: IO[bytes]) -> None:
        assert bucket == "models"
        self.fetched.append(key)
        name = key.replace(".", "_")
        if name not in self.objects:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "GetObject")
        file.write(self.objects[name])


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    bucket = Bucket(net_pth=CONTENT, own_pt=CONTENT, own_toml=b"size = 1", own_txt=b"dog")
    monkeypatch.setattr(weights, "s3", lambda: bucket)
    return bucket


def settings(folder: Path, key: str = "net.pth", sha256: str = SHA256) -> LabelSettings:
    return LabelSettings(
        label_model="resnet50",
        label_weights=f"s3://models/{key}",
        label_weights_sha256=sha256,
        label_cache=folder / "cache",
    )


def kept(folder: Path) -> list[str]:
    """The names of all files in the cache."""
    return sorted(path.name for path in (folder / "cache").rglob("*") if path.is_file())


def test_weights_in_s3_are_fetched_once(tmp_path: Path, bucket: Bucket) -> None:
    first, second = read_weights(settings(tmp_path)), read_weights(settings(tmp_path))

    assert first == second
    assert (first.content, first.version) == (CONTENT, SHA256[:12])
    assert bucket.fetched == ["net.pth"]
    assert kept(tmp_path) == ["net.pth"]


def test_what_lies_beside_a_network_of_ones_own_is_fetched_with_it(tmp_path: Path, bucket: Bucket) -> None:
    path = read_weights(settings(tmp_path, "own.pt")).path

    assert path.with_suffix(".toml").read_bytes() == b"size = 1"
    assert path.with_suffix(".txt").read_bytes() == b"dog"


def test_once_all_files_are_there_s3_may_be_away(tmp_path: Path, bucket: Bucket) -> None:
    first = read_weights(settings(tmp_path, "own.pt"))
    bucket.objects.clear()

    assert read_weights(settings(tmp_path, "own.pt")) == first
    assert bucket.fetched == ["own.pt", "own.toml", "own.txt"]


@pytest.mark.parametrize("beside", ["other_toml", "other_txt"])
def test_with_another_file_beside_it_a_network_is_of_another_version(
    tmp_path: Path, bucket: Bucket, beside: str
) -> None:
    bucket.objects |= {name.replace("own", "other"): content for name, content in bucket.objects.items()}
    same = read_weights(settings(tmp_path / "same", "other.pt"))
    bucket.objects[beside] += b" that was changed"

    own, other = (read_weights(settings(tmp_path, key)) for key in ("own.pt", "other.pt"))

    assert own.sha256 == other.sha256
    assert own.version == same.version != other.version


@pytest.mark.parametrize("key", ["net.pth", "own.pt"])
def test_another_object_than_expected_is_refused_and_nothing_of_it_kept(
    tmp_path: Path, bucket: Bucket, key: str
) -> None:
    with pytest.raises(ModelError, match=rf"s3://models/{key} has the SHA-256"):
        read_weights(settings(tmp_path, key, sha256=64 * "0"))

    assert kept(tmp_path) == []


def test_what_a_killed_process_has_left_of_a_file_is_removed_and_what_another_writes_is_not(
    tmp_path: Path, bucket: Bucket
) -> None:
    folder = read_weights(settings(tmp_path)).path.parent
    for name, age in ((".unfinished-left", 2 * 3600), (".unfinished-written", 60)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, 2 * (time.time() - age,))

    read_weights(settings(tmp_path, "own.pt"))

    assert kept(tmp_path) == [".unfinished-written", "net.pth", "own.pt", "own.toml", "own.txt"]


def test_an_object_that_cannot_be_fetched_is_named(tmp_path: Path, bucket: Bucket) -> None:
    with pytest.raises(ModelError, match=r"s3://models/absent.pth cannot be fetched: .*Not Found"):
        read_weights(settings(tmp_path, "absent.pth"))


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, bucket: Bucket) -> None:
    (tmp_path / "cache").write_text("no folder", encoding="utf-8")

    with pytest.raises(ModelError, match=r"PHOTOFLEET_LABEL_CACHE: .* cannot be written: Not a directory"):
        read_weights(settings(tmp_path))


@pytest.mark.parametrize("address", ["s3://models", "s3://models/", "s3:/models/net.pth"])
def test_an_address_in_s3_without_an_object_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="like s3://bucket/key"):
        LabelSettings(label_weights=address, label_weights_sha256=SHA256)


def test_weights_in_s3_need_their_sha256_in_the_settings() -> None:
    with pytest.raises(ValueError, match=r"PHOTOFLEET_LABEL_WEIGHTS_SHA256 must be set, as .* is in S3"):
        LabelSettings(label_weights="s3://models/net.pth")


@pytest.mark.parametrize("end", ["", "/", "/.", "//"])
def test_code_needs_its_sha256_however_its_file_is_written(tmp_path: Path, end: str) -> None:
    with pytest.raises(ValueError, match=r"PHOTOFLEET_LABEL_WEIGHTS_SHA256 must be set, as a .pt or .pt2 file is code"):
        LabelSettings(label_weights=f"{tmp_path}/own.pt{end}")
