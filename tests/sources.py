"""The working tree as a release sees it."""

from pathlib import Path

import pytest

from ami.release.roles import ReleaseError
from ami.release.source import Source

ROOT = Path(__file__).parents[1]


def working_tree() -> Source:
    """Return the working tree; skip the test where git does not know it, as where an archive was unpacked."""
    try:
        return Source.read(ROOT)
    except ReleaseError as error:
        pytest.skip(str(error))
