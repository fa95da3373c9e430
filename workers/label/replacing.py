"""Writing a file that others read meanwhile."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

_UNFINISHED = ".unfinished-"

_ABANDONED_S = 3600
"""After so long without a byte, nobody writes a file any more."""


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that appears under its name whole and at once, however many processes write it.

    All may read it: who bakes an image makes it for the user of the service. What processes have left unfinished that
    were killed is removed. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{_UNFINISHED}*"):
        _remove_if_abandoned(left)
    with NamedTemporaryFile(dir=path.parent, prefix=_UNFINISHED, delete=False) as file:
        made = Path(file.name)
        try:
            yield file
            file.flush()
            made.chmod(0o644)
            made.replace(path)
        finally:
            made.unlink(missing_ok=True)


def _remove_if_abandoned(path: Path) -> None:
    with suppress(FileNotFoundError):  # another process was quicker
        if path.stat().st_mtime < time.time() - _ABANDONED_S:
            path.unlink()
