"""The folder that holds the local service's state: whose it is, who uses it, and what it says of itself."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from photofleet.local.secret import private_file

# 1 had a stack for each template, and the queues and buckets of those; 2 has the root stack.
FORMAT = 2
# Whoever looks whether the folder is in use holds its lock for a moment.
PATIENCE_SECONDS = 1.0
_MARKER = "photofleet.json"


class StateError(Exception):
    """The folder cannot be used; the message says why and what to do."""


class AlreadyRunningError(StateError):
    """Another supervisor uses the folder, or its guard is still cleaning up."""


class StateFolder:
    """The state below `path`; the folder itself is made by `prepare`."""

    def __init__(self, path: Path):
        self.path = path.absolute()
        self.aws = self.path / "aws"
        self.postgres = self.path / "postgres"
        self.log = self.path / "photofleet.log"
        self._claim = self.path / "claim"
        self._alive = self.path / "alive"
        self._status = self.path / "status.json"

    def prepare(self) -> None:
        """Make the folder, or make sure that it is ours.

        Raises:
            StateError: the folder belongs to something or someone else, or to another version of this program.
        """
        try:
            # Others may pass through, as PostgreSQL must where it is not allowed to be root, but not look around.
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            if not any(self.path.iterdir()):
                (self.path / _MARKER).write_text(json.dumps({"format": FORMAT}), encoding="utf-8")
            self._check_marker()
        except OSError as error:
            raise StateError(
                f"The state folder {self.path} cannot be used: {error.strerror}. Choose another with --state."
            ) from error

    def _check_marker(self) -> None:
        try:
            marker = json.loads((self.path / _MARKER).read_text(encoding="utf-8"))
            found = marker["format"]
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            raise StateError(
                f"{self.path} holds something else than Photofleet's state. Choose another folder with --state."
            ) from None
        if found != FORMAT:
            raise StateError(
                f"The state in {self.path} is of another version of Photofleet (format {found}, not {FORMAT}). "
                "Delete it with `photofleet local reset`, or choose another folder with --state."
            )
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            raise StateError(
                f"The state folder {self.path} belongs to the user with the id {owner}. Run this as that user, or "
                "choose another folder with --state."
            )

    @contextmanager
    def claimed(self) -> Iterator[int]:
        """Claim the folder; yields the descriptor that is the claim, which lasts until all copies of it are closed.

        Raises:
            AlreadyRunningError: it is claimed by another.
        """
        claim = _lock(self._claim, PATIENCE_SECONDS)
        if claim is None:
            raise AlreadyRunningError(
                f"Photofleet is already running on {self.path}. `photofleet local status` shows it, "
                "`photofleet local down` stops it."
            )
        self._status.unlink(missing_ok=True)
        # Guards keep a copy of the claim, but not of this: it says whether the supervisor itself is alive.
        alive = _lock(self._alive, PATIENCE_SECONDS)
        try:
            yield claim
        finally:
            for descriptor in (claim, alive):
                if descriptor is not None:
                    os.close(descriptor)

    def is_claimed(self) -> bool:
        """Say whether a supervisor, or the guard of one that was killed, uses the folder."""
        return _is_locked(self._claim)

    def wait_until_free(self, seconds: float) -> bool:
        """Wait until nobody uses the folder; say whether that came to be."""
        deadline = time.monotonic() + seconds
        while self.is_claimed():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def write_status(self, status: Mapping[str, Any]) -> None:
        """Replace what `read_status` returns.

        Raises:
            OSError: it cannot be written.
        """
        unfinished = self._status.with_suffix(".unfinished")
        with private_file(unfinished) as file:
            file.write(json.dumps(status).encode("utf-8"))
        unfinished.rename(self._status)

    def read_status(self) -> dict[str, Any] | None:
        """Return what the running supervisor last wrote of itself; None where none is running.

        The folder may be claimed all the same: by the guard of one that was killed.
        """
        if not _is_locked(self._alive):
            return None
        try:
            status: dict[str, Any] = json.loads(self._status.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return status

    def delete(self) -> None:
        """Delete the folder and all that is in it.

        Raises:
            StateError: it is in use, or not ours.
        """
        if not (self.path / _MARKER).exists():
            raise StateError(f"{self.path} holds something else than Photofleet's state; nothing was deleted.")
        with self.claimed():
            try:
                for path in self.path.iterdir():
                    if path.is_dir():
                        shutil.rmtree(path)
                    elif path.name != _MARKER:
                        path.unlink()
                # Last, so that what is left when this is interrupted is still known as ours.
                (self.path / _MARKER).unlink()
                self.path.rmdir()
            except OSError as error:
                raise StateError(f"{error.filename} could not be deleted: {error.strerror}.") from error


def _lock(path: Path, patience: float = 0.0, kind: int = fcntl.LOCK_EX) -> int | None:
    """Lock a file and return its descriptor, or None if another holds the lock for longer than `patience` seconds."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError:
        raise StateError(f"{path.parent} belongs to another user. Run this as that user.") from None
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                return None
            time.sleep(0.05)
        else:
            break
    if not os.fstat(descriptor).st_nlink:
        os.close(descriptor)
        raise StateError(f"{path.parent} was deleted while this waited for it. Try again.")
    return descriptor


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    # Shared, so that any number may look at once and not take each other for the holder.
    descriptor = _lock(path, kind=fcntl.LOCK_SH)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False
