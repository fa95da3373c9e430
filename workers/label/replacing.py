"""Writing a file that others read meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that appears under its name whole and at once, however many processes write it.

    All may read it: who bakes an image makes it for the user of the service. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        made = Path(file.name)
        try:
            yield file
            file.flush()
            made.chmod(0o644)
            made.replace(path)
        finally:
            made.unlink(missing_ok=True)
