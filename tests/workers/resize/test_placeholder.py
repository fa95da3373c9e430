from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from photofleet.images.formats import Format, sniff
from tests.pictures import corners
from workers.resize.placeholder import make_placeholder


def test_a_preview_is_a_tiny_webp_of_the_picture():
    placeholder = make_placeholder(corners(160, 120))
    assert placeholder.preview is not None
    assert sniff(placeholder.preview) is Format.WEBP
    assert len(placeholder.preview) < 500
    assert Image.open(BytesIO(placeholder.preview)).size == (32, 24)


def test_even_noise_has_a_preview_that_fits_into_a_page():
    noise = np.random.default_rng(1).integers(0, 256, (160, 160, 3), np.uint8)
    assert len(make_placeholder(Image.fromarray(noise)).preview or b"") <= 1024


@pytest.mark.parametrize("size", [(1, 1), (160, 1), (1, 160), (7, 5)])
def test_a_picture_of_any_shape_has_one(size: tuple[int, int]):
    placeholder = make_placeholder(Image.new("RGB", size, "#204060"))
    assert placeholder.preview
    assert placeholder.colour == "#204060"


def test_the_dominant_colour_is_that_of_most_of_the_picture():
    picture = Image.new("RGB", (100, 100), "#3366aa")
    picture.paste((255, 255, 0), (0, 0, 100, 30))
    assert make_placeholder(picture).colour == "#3366aa"


def test_a_transparent_picture_has_a_colour_and_no_preview():
    picture = Image.new("RGBA", (100, 100), (255, 0, 0, 0))
    picture.paste((0, 128, 0, 255), (40, 40, 60, 60))
    placeholder = make_placeholder(picture)
    assert placeholder.preview is None
    assert placeholder.colour == "#008000"


def test_a_picture_of_nothing_is_white():
    assert make_placeholder(Image.new("RGBA", (9, 9))).colour == "#ffffff"
