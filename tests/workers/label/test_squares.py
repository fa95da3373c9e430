"""What the network sees of a file; and the worker believes nothing unchecked of what the sandbox says of it."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from photofleet.images.formats import Format
from tests.pictures import corners, encode
from workers.label.efficientnet_lite import PREPROCESSING
from workers.label.squares import read_squares, read_squares_of_stranger
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


@pytest.mark.parametrize("crop", [0.875, 1])
def test_a_photo_is_looked_at_in_the_square_that_the_network_is_tested_with(crop: float) -> None:
    preprocessing = replace(PREPROCESSING, crop=crop)
    picture = corners(400, 300)

    (square,) = read_squares(encode(picture, Format.PNG), Format.PNG, preprocessing, max_pixels=10**6)

    assert np.array_equal(square, preprocessing.pixels(picture))
