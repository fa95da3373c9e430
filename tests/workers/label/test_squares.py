"""The worker believes nothing unchecked of what the sandbox says of an uploaded file."""

import tempfile
from collections.abc import Iterator

import pytest

from photofleet.images.formats import Format
from workers.label.efficientnet_lite import PREPROCESSING
from workers.label.squares import least_short_side, read_squares_of_stranger
from workers.sandbox import Sandbox, SandboxError


@pytest.fixture(scope="module")
def liar() -> Iterator[Sandbox]:
    """A sandbox in which what decodes a file is that function of tests/workers/label/liars.py that the file names."""
    sandbox = Sandbox("tests.workers.label.liars:work")
    yield sandbox
    sandbox.close()


@pytest.mark.parametrize(
    "lie", ["nothing", "none_at_all", "too_many", "fewer_than_said", "of_another_size", "of_another_kind", "twice"]
)
def test_an_answer_that_cannot_be_true_is_refused(lie: str, liar: Sandbox) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(lie.encode())
        with pytest.raises(SandboxError, match="answered"):
            read_squares_of_stranger(file, Format.JPEG, PREPROCESSING, max_pixels=10**6, sandbox=liar)


def test_a_picture_is_as_large_as_it_has_to_be_for_the_network_to_see_all_that_it_can() -> None:
    assert least_short_side(PREPROCESSING) == 298
