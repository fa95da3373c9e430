"""Snapshots of the embedded AWS's state, such that a crash never shows half of one."""

import shutil
from pathlib import Path

from ministack import app
from ministack.core import persistence
from ministack.services import cloudformation


class Snapshots:
    """The state of every service but S3's objects, in numbered folders: the newest is whole, the others go.

    A folder gets its number only when all its files are written, so that services agree after a crash: a queue that
    a stack speaks of exists.
    """

    _UNFINISHED = "unfinished"

    def __init__(self, folder: Path):
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(self._folder / self._UNFINISHED, ignore_errors=True)
        self._newest = max((int(path.name) for path in self._folder.iterdir() if path.name.isdigit()), default=0)

    @property
    def newest(self) -> Path:
        """The folder to restore from; it does not exist before the first snapshot."""
        return self._folder / str(self._newest)

    def take(self) -> None:
        """Write the state of every service down, unless a stack is half-way.

        Nobody would go on with a half-way stack after a crash: better the world as it was before it.

        Raises:
            OSError: the state could not be written; the newest whole snapshot stays.
        """
        stacks = cloudformation._stacks._data.values()  # noqa: SLF001 - those of every account and region
        if any(stack["StackStatus"].endswith("_IN_PROGRESS") for stack in stacks):
            return
        unfinished = self._folder / self._UNFINISHED
        unfinished.mkdir(exist_ok=True, mode=0o700)
        persistence.STATE_DIR = str(unfinished)
        for name, get_state in app._build_persistence_save_dict().items():  # noqa: SLF001 - what a shutdown saves
            state = get_state()
            if state is None:
                continue
            persistence.save_state(name, state)
            if not (unfinished / f"{name}.json").exists():
                raise OSError(f"The state of {name} could not be written to {unfinished}.")
        before = self.newest
        unfinished.rename(self._folder / str(self._newest + 1))
        self._newest += 1
        shutil.rmtree(before, ignore_errors=True)
