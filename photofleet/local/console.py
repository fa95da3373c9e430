"""The merged output of many programs, each line behind the name of who wrote it."""

import os
import re
from collections.abc import Iterable
from typing import TextIO

_COLOURS = (36, 33, 35, 32, 34, 91, 95, 96)
# What a program logs may hold what a stranger sent, and a terminal obeys such characters.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class Console:
    """Writes lines to `stream`, in colour where it is a terminal and NO_COLOR (no-color.org) is not set."""

    def __init__(self, stream: TextIO, names: Iterable[str]):
        self._stream = stream
        self._names = list(names)
        self._width = max(map(len, self._names), default=0)
        self._colours = stream.isatty() and not os.environ.get("NO_COLOR")

    def write(self, name: str, line: str) -> None:
        """Write one line of the program called `name`."""
        prefix = f"{name:<{self._width}} |"
        if self._colours:
            colour = _COLOURS[self._names.index(name) % len(_COLOURS)] if name in self._names else 1
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        printable = _CONTROL_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", line)
        try:
            self._stream.write(f"{prefix} {printable}\n")
            self._stream.flush()
        except (OSError, UnicodeEncodeError):
            # The terminal was closed, or whoever was reading has gone away; that must not end the service.
            pass
