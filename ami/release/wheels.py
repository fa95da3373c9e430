"""The wheels that are built here: our own, and those of other people's packages that come as source."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from packaging.utils import parse_wheel_filename

from ami.release.packages import PIP, Package
from ami.release.roles import ReleaseError
from ami.release.source import Source

_OLDEST = 315_532_800
"""1980, before which a wheel knows no time. A package's wheel is the same in every release that has its version."""


def build(source: Source, target: Path) -> Package:
    """Build our own wheel, from a copy of the committed files and the built pages, the same at every time and place.

    Raises:
        ReleaseError: it cannot be built.
    """
    source.copy(target / "source")
    return _build(target / "source", target / "wheels", source.time)


def complete(packages: Iterable[Package], lock: str, target: Path) -> tuple[list[Package], str]:
    """Build the wheels that a lock's packages lack; return all wheels, and the lock with the hashes of those built.

    Raises:
        ReleaseError: one cannot be built, or has code that was compiled for this machine.
    """
    wheels = []
    for package in packages:
        wheel = package
        if not package.is_wheel:
            wheel = _build(package.path, target / package.path.name, _OLDEST)
            _, _, _, tags = parse_wheel_filename(wheel.path.name)
            if any((tag.abi, tag.platform) != ("none", "any") for tag in tags):
                raise ReleaseError(
                    f"{package.path.name} was compiled for this machine, to {wheel.path.name}, which an image may not "
                    "run. Build the release where it finds nothing to compile against."
                )
            lock = lock.replace(f"sha256:{package.sha256}", f"sha256:{wheel.sha256}")
        wheels.append(wheel)
    return wheels, lock


def _build(source: Path, target: Path, time: int) -> Package:
    # With what is installed here, as locked as all else: pip would fetch the newest to build with.
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir", "--wheel-dir", target)
    built = subprocess.run(
        (*PIP, "wheel", *options, source),
        env=os.environ | {"SOURCE_DATE_EPOCH": str(time)},
        umask=0o022,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise ReleaseError(f"The wheel of {source} cannot be built:\n{built.stdout}{built.stderr}")
    (wheel,) = target.iterdir()
    return Package.at(wheel)
