"""How long each step of the boot took: what systemd knows of its units, and what we note of our own steps."""

import time
from pathlib import Path

from ami.boot.files import Files
from ami.boot.units import show

CONTAINER = Path("/run/systemd/container")


def mark(files: Files, step: str) -> None:
    """Note that a step has just ended, by the clock that systemd notes its units with."""
    with files.marks.open("a", encoding="ascii") as file:
        file.write(f"{step} {time.monotonic():.3f}\n")


def summary(files: Files, role: str) -> str:
    """Say how long it took until now since the machine started, and what part each step has in it."""
    ends = [("until the boot began", _stamp("InactiveExitTimestampMonotonic", "photofleet-boot.service"))]
    noted = (line.split() for line in files.marks.read_text(encoding="ascii").splitlines())
    ends += [(step, float(when)) for step, when in noted]
    if role == "web":
        ends.append(("migration", _stamp("ActiveEnterTimestampMonotonic", "photofleet-migrate.service")))
    ends.append(("units", _stamp("ActiveEnterTimestampMonotonic", f"photofleet-{role}.target")))
    ends.append(("readiness", time.monotonic()))
    # In a container the kernel is somebody else's, and started long before.
    inside = CONTAINER.exists()
    origin = last = _stamp("UserspaceTimestampMonotonic") if inside else 0.0
    parts = []
    for step, end in ends:
        parts.append(f"{end - last:.1f} s {step}")
        last = end
    return f"{last - origin:.1f} s after {'systemd' if inside else 'the kernel'} started ({', '.join(parts)})"


def _stamp(name: str, *unit: str) -> float:
    (found,) = show(name, *unit)
    return int(found[name]) / 1_000_000
