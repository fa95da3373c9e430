"""The wheels of a release: those of other people as their locks name them, and our own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.utils import canonicalize_name, parse_wheel_filename

from ami.release.roles import ReleaseError, Role
from ami.release.source import Source

_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
_PINNED = re.compile(r"^([\w.-]+)==([^\s;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Wheel:
    """A wheel on this machine's disk."""

    path: Path
    sha256: str

    @classmethod
    def at(cls, path: Path) -> "Wheel":
        """The wheel in a file."""
        with path.open("rb") as file:
            return cls(path, file_digest(file, "sha256").hexdigest())

    @property
    def pin(self) -> str:
        """Its package and version, as a lock writes them."""
        name, version, _, _ = parse_wheel_filename(self.path.name)
        return f"{name}=={version}"


def fetch(role: Role, root: Path, cache: Path) -> list[Wheel]:
    """Return the wheels that a role's lock names, fetched by pip unless an earlier build did.

    Raises:
        ReleaseError: pip cannot fetch them, or what an earlier build fetched has changed since.
    """
    lock = (root / role.lock).read_bytes()
    folder = cache / f"{role.name}-{sha256(lock).hexdigest()[:16]}"
    if not folder.is_dir():
        for outdated in cache.glob(f"{role.name}-" + "[0-9a-f]" * 16):
            shutil.rmtree(outdated)
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache, prefix="unfinished-") as unfinished:
            _download(role, root, Path(unfinished, "wheels"))
            Path(unfinished, "wheels").rename(folder)
    wheels = [Wheel.at(path) for path in sorted(folder.iterdir())]
    _check(wheels, lock.decode(), folder)
    return wheels


def _download(role: Role, root: Path, target: Path) -> None:
    # Without dependencies: the lock is complete, and pip would choose by the markers of this machine's Python.
    options = ("--require-hashes", "--only-binary=:all:", "--no-deps", *role.platform())
    command = (*_PIP, "download", "-qq", *options, "--dest", str(target), "--requirement", str(root / role.lock))
    if subprocess.run(command, check=False).returncode:
        raise ReleaseError(
            f"pip could not fetch the wheels of {role.name}; its lines above say why. "
            "If it is torch's CPU build that is missing, set PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu."
        )


def _check(wheels: Iterable[Wheel], lock: str, folder: Path) -> None:
    known = set(_HASH.findall(lock))
    wanted = {f"{canonicalize_name(name)}=={version}" for name, version in _PINNED.findall(lock)}
    wrong = wanted.symmetric_difference(wheel.pin for wheel in wheels)
    wrong |= {wheel.path.name for wheel in wheels if wheel.sha256 not in known}
    if wrong:
        raise ReleaseError(f"{folder} is not as its lock says: {', '.join(sorted(wrong))}. Delete it, and build again.")


def build(source: Source, target: Path) -> Wheel:
    """Build our own wheel, from a copy of the committed files and the built pages, the same at every time and place.

    Raises:
        ReleaseError: it cannot be built.
    """
    source.copy(target / "source")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir", "--wheel-dir", target / "wheels")
    built = subprocess.run(
        (*_PIP, "wheel", *options, target / "source"),
        env=os.environ | {"SOURCE_DATE_EPOCH": str(source.time)},
        umask=0o022,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise ReleaseError(f"Our own wheel cannot be built:\n{built.stdout}{built.stderr}")
    (wheel,) = (target / "wheels").iterdir()
    return Wheel.at(wheel)
