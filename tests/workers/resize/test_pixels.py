import numpy as np
import pytest
from PIL import Image

from tests.pictures import corners
from workers.resize.pixels import BAND, resize

# Not from 0 to 255, lest it count whether rows or columns come first.
NOISE = Image.fromarray(np.random.default_rng(1).integers(80, 176, (3 * BAND, 40, 3), np.uint8))


def difference(one: Image.Image, other: Image.Image) -> int:
    assert one.mode == other.mode
    return int(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max())


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("height", [1, 7, BAND, BAND + 1, 2 * BAND + 100, 3 * BAND - 1])
def test_a_picture_of_any_height_is_made_smaller_as_pillow_would(mode: str, height: int):
    picture = NOISE.convert(mode)
    smaller = resize(picture, (31, height))
    assert difference(smaller, picture.resize((31, height), Image.Resampling.LANCZOS)) <= 2


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pixels_are_made_smaller_as_a_picture_is(mode: str):
    picture = NOISE.convert(mode)
    pixels = np.asarray(picture).reshape(picture.height, picture.width, -1)
    assert difference(resize(pixels, (20, 300)), resize(picture, (20, 300))) == 0
    assert difference(resize(pixels, picture.size), picture) == 0


def test_no_colour_of_what_is_transparent_shows():
    picture = Image.new("RGBA", (100, 600), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 50, 600))
    smaller = np.asarray(resize(picture, (30, 300)))
    assert set(smaller[smaller[..., 3] > 0][:, 0]) == {0}
    assert set(smaller[:, 0, 3]) == {255}


def test_a_picture_of_the_right_size_stays_as_it_is():
    picture = corners(30, 20)
    assert resize(picture, (30, 20)) is picture
