"""Files that only their owner reads, and secrets that are made up once and kept in one."""

import os
import secrets
from pathlib import Path
from typing import BinaryIO


def private_file(path: Path) -> BinaryIO:
    """Open an empty file at `path` that only its owner reads, whatever was there before.

    Raises:
        OSError: it cannot be written.
    """
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def kept_secret(path: Path) -> str:
    """Return the secret in the file at `path`, which is made first where it does not exist.

    Raises:
        OSError: the file cannot be read or written.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Renamed when it is whole: whoever is killed in between leaves no empty secret.
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        with private_file(unfinished) as file:
            file.write(secrets.token_urlsafe(30).encode("ascii"))
        unfinished.rename(path)
    return path.read_text(encoding="ascii")
