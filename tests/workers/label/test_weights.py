import hashlib
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


def test_weights_in_s3_are_fetched_once(tmp_path: Path, bucket: Bucket) -> None:
    first, second = read_weights(settings(tmp_path)), read_weights(settings(tmp_path))

    assert first == second
    assert (first.content, first.version) == (CONTENT, SHA256[:12])
    assert bucket.fetched == ["net.pth"]
    assert [path.name for path in (tmp_path / "cache" / "weights").iterdir()] == [f"{SHA256}.pth"]


def test_what_lies_beside_a_network_of_ones_own_is_fetched_with_it(tmp_path: Path, bucket: Bucket) -> None:
    path = read_weights(settings(tmp_path, "own.pt")).path

    assert path.with_suffix(".toml").read_bytes() == b"size = 1"
    assert path.with_suffix(".txt").read_bytes() == b"dog"


def test_another_object_than_expected_is_refused_and_not_kept(tmp_path: Path, bucket: Bucket) -> None:
    with pytest.raises(ModelError, match=r"s3://models/net.pth has the SHA-256"):
        read_weights(settings(tmp_path, sha256=64 * "0"))

    assert list((tmp_path / "cache" / "weights").iterdir()) == []


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
