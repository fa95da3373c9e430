"""The packages of other people, as the roles' locks name them: wheels, and the sources of the few that have none."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from ami.release.roles import ReleaseError, Role

SOURCE_ONLY = frozenset({"pyvips"})
"""Packages that may come as source, from which a wheel is built here. Code of theirs runs on this machine meanwhile."""

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
_PINNED = re.compile(r"^([\w.-]+)==([^\s;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Package:
    """A package's file on this machine's disk: a wheel, or a source."""

    path: Path
    sha256: str

    @classmethod
    def at(cls, path: Path) -> "Package":
        """The package in a file."""
        with path.open("rb") as file:
            return cls(path, file_digest(file, "sha256").hexdigest())

    @property
    def is_wheel(self) -> bool:
        """Whether it can be installed as it is."""
        return self.path.suffix == ".whl"

    @property
    def pin(self) -> str:
        """Its name and version, as a lock writes them."""
        name, version = (parse_wheel_filename if self.is_wheel else parse_sdist_filename)(self.path.name)[:2]
        return f"{name}=={version}"


def fetch(role: Role, root: Path, cache: Path) -> list[Package]:
    """Return the packages that a role's lock names, fetched by pip unless an earlier build did.

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
            _download(role, root, Path(unfinished, "packages"))
            Path(unfinished, "packages").rename(folder)
    packages = [Package.at(path) for path in sorted(folder.iterdir())]
    _check(packages, lock.decode(), folder)
    return packages


def _download(role: Role, root: Path, target: Path) -> None:
    lock = root / role.lock
    wheels = sorted(_pinned(lock.read_text(encoding="utf-8")).keys() - SOURCE_ONLY)
    # Without dependencies: the lock is complete, and pip would choose by the markers of this machine's Python.
    # Without isolation: pip has a source's own build tell what it is, and would fetch what that takes, unlocked.
    options = ("--require-hashes", "--only-binary", ",".join(wheels), "--no-deps", "--no-build-isolation")
    where = ("--dest", str(target), "--requirement", str(lock))
    if subprocess.run((*PIP, "download", "-qq", *options, *role.platform(), *where), check=False).returncode:
        raise ReleaseError(
            f"pip could not fetch the packages of {role.name}; its lines above say why. "
            "If it is torch's CPU build that is missing, set PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu. "
            "If one has no wheel, name it in SOURCE_ONLY in ami/release/packages.py."
        )


def _check(packages: Iterable[Package], lock: str, folder: Path) -> None:
    known = set(_HASH.findall(lock))
    wanted = {f"{name}=={version}" for name, version in _pinned(lock).items()}
    wrong = wanted.symmetric_difference(package.pin for package in packages)
    wrong |= {package.path.name for package in packages if package.sha256 not in known}
    if wrong:
        raise ReleaseError(f"{folder} is not as its lock says: {', '.join(sorted(wrong))}. Delete it, and build again.")


def _pinned(lock: str) -> dict[str, str]:
    """The versions that a lock names, by the packages' names."""
    return {canonicalize_name(name): version for name, version in _PINNED.findall(lock)}
