"""Snapshots of the embedded AWS's state, such that neither a crash nor a power cut ever shows half of one."""

import json
import logging
import os
import shutil
from pathlib import Path

from ministack import app
from ministack.core import persistence
from ministack.services import cloudformation, iam

_KEPT = 2

logger = logging.getLogger(__name__)


class SnapshotError(Exception):
    """No snapshot can be read; the message says what to do."""


class Snapshots:
    """The state of every service but S3's objects, in numbered folders: the newest is restored, older ones go.

    A folder gets its number only when all its files are on the disk, so that services agree after a crash: a queue
    that a stack speaks of exists. The one before stays, should the disk lose the newest.
    """

    _UNFINISHED = "unfinished"

    def __init__(self, folder: Path):
        """Find the newest snapshot that ministack can read.

        Raises:
            SnapshotError: there are snapshots, and none of them can be read.
        """
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(self._folder / self._UNFINISHED, ignore_errors=True)
        found = self._numbers()
        readable = [number for number in found if _is_readable(self._folder / str(number))]
        if found and not readable:
            raise SnapshotError(
                f"The state of the embedded AWS in {self._folder} cannot be read. Delete it with `photofleet local "
                "reset`, or choose another folder with --state."
            )
        self._newest = max(readable, default=0)
        for number in found:
            if number > self._newest:
                logger.error("The newest state of the embedded AWS cannot be read; the one before is restored.")
                shutil.rmtree(self._folder / str(number))
        self._states: dict[str, str] = {}
        self._landmarks = (-1, -1)

    @property
    def newest(self) -> Path:
        """The folder to restore from; it does not exist before the first snapshot."""
        return self._folder / str(self._newest)

    def know_every_stack_and_key(self) -> bool:
        """Say whether nothing has become of stacks and access keys since a snapshot was last taken, at little cost."""
        return self._landmarks == _count_landmarks()

    def take(self) -> None:
        """Write the state of every service down, unless it is what was last written or a stack is half-way.

        Nobody would go on with a half-way stack after a crash: better the world as it was before it.

        Raises:
            OSError: the state could not be written; the newest whole snapshot stays.
        """
        stacks = cloudformation._stacks._data.values()  # noqa: SLF001 - those of every account and region
        if any(_is_half_way(stack["StackStatus"]) for stack in stacks):
            return
        landmarks = _count_landmarks()
        states = _serialised()
        if states == self._states:
            self._landmarks = landmarks
            return
        unfinished = self._folder / self._UNFINISHED
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        for service, state in states.items():
            file = unfinished / f"{service}.json"
            if self._states.get(service) == state:
                file.hardlink_to(self.newest / file.name)
            else:
                file.write_text(state, encoding="utf-8")
                _sync(file)
        _sync(unfinished)
        unfinished.rename(self._folder / str(self._newest + 1))
        _sync(self._folder)
        self._newest += 1
        self._states, self._landmarks = states, landmarks
        for number in self._numbers():
            if number <= self._newest - _KEPT:
                shutil.rmtree(self._folder / str(number), ignore_errors=True)

    def _numbers(self) -> list[int]:
        return [int(path.name) for path in self._folder.iterdir() if path.name.isdigit()]


def _is_half_way(status: str) -> bool:
    # One that was only looked at, in a change set that nobody has executed, is not.
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


def _count_landmarks() -> tuple[int, int]:
    events = cloudformation._stack_events._data.values()  # noqa: SLF001 - of every account and region
    return sum(map(len, events)), len(iam._access_keys._data)  # noqa: SLF001


def _serialised() -> dict[str, str]:
    """Return the state of every service in the words that ministack reads."""
    getters = app._build_persistence_save_dict()  # noqa: SLF001 - what a shutdown saves
    # Its own makes a copy first, which takes longer than all the rest.
    getters["cloudformation"] = lambda: {key: store() for store, key in cloudformation._PERSISTED_STORES}  # noqa: SLF001
    states = {service: get_state() for service, get_state in getters.items()}
    return {
        service: json.dumps(
            {"__ministack_format__": persistence._state_format_version(service), "payload": state},  # noqa: SLF001
            default=persistence._json_default,  # noqa: SLF001
        )
        for service, state in states.items()
        if state is not None
    }


def _is_readable(snapshot: Path) -> bool:
    """Say whether ministack can read every file; what it cannot, it would pass over, and begin anew."""
    persistence.STATE_DIR = str(snapshot)
    services = [file.stem for file in snapshot.glob("*.json")]
    try:
        return bool(services) and all(persistence.load_state(service) is not None for service in services)
    except ValueError:
        return False


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
