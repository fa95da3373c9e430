"""The commit that is released: its version, its time and its files."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

from ami.release.roles import ReleaseError

PAGES = "webapp/static/build"
"""What the pages' scripts and styles are built to, which git does not know."""

_BAKE = ("ami/provision.sh", "ami/versions.env", "ami/image/", "ami/image-label-gpu/", "ami/keys/")
_TEMPLATE = re.compile(r"cloudformation/(parameters/)?[\w-]+\.(json|yaml)")


@dataclass(frozen=True)
class Source:
    """A working tree of the repository, and what git says of it."""

    root: Path
    version: str
    commit: str
    time: int
    """When it was committed, in seconds since 1970."""
    files: tuple[str, ...]
    """Every file that is committed or would be, sorted, relative to the root."""

    @classmethod
    def read(cls, root: Path) -> "Source":
        """Ask git about a working tree.

        Raises:
            ReleaseError: it is none, or has no commit yet.
        """
        if _git(root, "rev-parse", "--show-prefix").strip():
            raise ReleaseError(f"{root} is not the top of a git repository; build a release in a clone of its own.")
        commit = _git(root, "rev-parse", "HEAD").strip()
        changed = _git(root, "status", "--porcelain", "--untracked-files=normal")
        listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return cls(
            root=root,
            version=f"{_setup(root)['metadata']['version']}-{commit[:12]}" + ("-dirty" if changed else ""),
            commit=commit,
            time=int(_git(root, "show", "--no-patch", "--format=%ct", "HEAD")),
            files=tuple(sorted(name for name in set(listed.split("\0")) if (root / name).is_file())),
        )

    def bake(self) -> list[str]:
        """Those of its files that bake an image."""
        return [file for file in self.files if file.startswith(_BAKE)]

    def templates(self) -> list[str]:
        """Those of its files that launch the stacks."""
        return [file for file in self.files if _TEMPLATE.fullmatch(file)]

    def requirements(self, extra: str) -> list[str]:
        """What it needs of other packages, and what it needs besides with an extra."""
        setup = _setup(self.root)
        lines = setup["options"]["install_requires"] + setup["options.extras_require"][extra]
        return [line for line in lines.splitlines() if line]

    def copy(self, target: Path) -> None:
        """Copy its files, and the pages that were built from them, with modes that depend on nothing but git's."""
        built = sorted(path.relative_to(self.root).as_posix() for path in (self.root / PAGES).rglob("*"))
        for file in (*self.files, *built):
            path, copied = self.root / file, target / file
            if path.is_file():
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copied)
                copied.chmod(mode(path))


def mode(path: Path) -> int:
    """The mode of a file as git knows it: it can be run, or it cannot."""
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def _setup(root: Path) -> ConfigParser:
    setup = ConfigParser()
    with (root / "setup.cfg").open(encoding="utf-8") as file:
        setup.read_file(file)
    return setup


def _git(root: Path, *words: str) -> str:
    if shutil.which("git") is None:
        raise ReleaseError("A release is built from a git commit, and there is no git here; install it.")
    asked = subprocess.run(("git", "-C", root, *words), capture_output=True, text=True, check=False)
    if asked.returncode:
        raise ReleaseError(f"A release is built from a git commit, and git finds none: {asked.stderr.strip()}")
    return asked.stdout
