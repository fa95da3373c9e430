import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest


@pytest.fixture
def restored_environment() -> Iterator[None]:
    """Whatever the test makes of this process's environment is undone."""
    with patch.dict(os.environ):
        yield
