"""The roles of images: what each is locked to, and which wheels it can run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Debian 12 and Ubuntu 24.04 run whatever is built for this glibc and for older ones, down to the oldest with wheels.
_NEWEST_GLIBC, _OLDEST_GLIBC = 28, 5


class ReleaseError(Exception):
    """The release cannot be built; the message says why, and what to do."""


@dataclass(frozen=True)
class Role:
    """A kind of image. Its lock, made by `make lock`, names every package that it has besides ours."""

    name: str
    python: str
    """The Python of the image's distribution."""

    @property
    def lock(self) -> Path:
        """The file with the versions and hashes of its packages, in the repository."""
        return Path("requirements", f"{self.name}.txt")

    @property
    def extra(self) -> str:
        """The extra of setup.cfg that its programs need."""
        return self.name.partition("-")[0]

    def platform(self) -> Iterator[str]:
        """The options that tell pip which wheels the image can run, whatever this machine can."""
        yield from ("--implementation", "cp", "--python-version", self.python)
        yield from ("--abi", f"cp{self.python.replace('.', '')}")
        for minor in range(_NEWEST_GLIBC, _OLDEST_GLIBC - 1, -1):
            yield from ("--platform", f"manylinux_2_{minor}_x86_64")
        for older in ("manylinux2014", "manylinux2010", "manylinux1"):
            yield from ("--platform", f"{older}_x86_64")


ROLES = {
    role.name: role
    for role in (Role("web", "3.11"), Role("resize", "3.11"), Role("label-cpu", "3.11"), Role("label-gpu", "3.12"))
}


def choose(names: Sequence[str]) -> list[Role]:
    """Return the roles of these names, or all where none is named.

    Raises:
        ReleaseError: there is no such role.
    """
    for name in names:
        if name not in ROLES:
            raise ReleaseError(f"There is no image role {name}; the roles are {', '.join(ROLES)}.")
    return [role for name, role in ROLES.items() if name in names or not names]
