import numpy as np
import pytest
from PIL import Image

from workers.label.preprocessing import Preprocessing, Square

PREPROCESSING = Preprocessing(
    size=8, crop=0.5, resampling=Image.Resampling.BICUBIC, mean=(0, 100, 200), deviation=(1, 2, 4)
)


def test_pixels_stay_as_they_are() -> None:
    pixels = PREPROCESSING.pixels(Image.new("RGB", (20, 20), (10, 110, 220)))

    assert (pixels.shape, pixels.dtype) == ((8, 8, 3), np.uint8)
    assert (pixels == (10, 110, 220)).all()


def test_only_the_middle_square_counts() -> None:
    picture = Image.new("RGB", (100, 40), "white")
    picture.paste("black", (38, 8, 62, 32))  # the square of 20, and as far around it as resizing looks

    assert PREPROCESSING.pixels(picture).max() == 0


def test_another_square_is_cut_where_it_is() -> None:
    picture = Image.new("RGB", (100, 40), "white")
    picture.paste("black", (70, 0, 100, 40))

    assert PREPROCESSING.pixels(picture, Square(left=75.5, top=3, side=20)).max() == 0
    assert PREPROCESSING.pixels(picture, Square(left=10, top=3, side=20)).min() == 255


def test_the_square_is_resized_as_if_the_whole_picture_was_and_then_cropped() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    whole = np.asarray(picture.resize((24, 16), PREPROCESSING.resampling).crop((8, 4, 16, 12)))

    # Pillow rounds its weights, and the rows before the columns.
    assert np.allclose(PREPROCESSING.pixels(picture), whole, rtol=0, atol=2)


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1), (3, 2)])
def test_tiny_and_extremely_long_pictures_work(size: tuple[int, int]) -> None:
    assert (PREPROCESSING.pixels(Image.new("RGB", size, "white")) == 255).all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P"])
def test_a_picture_that_is_not_rgb_is_refused(mode: str) -> None:
    with pytest.raises(ValueError, match=f"mode RGB, not {mode}"):
        PREPROCESSING.pixels(Image.new(mode, (4, 4)))


def test_the_short_side_that_loses_no_detail_is_the_size_before_cropping() -> None:
    assert PREPROCESSING.short_side == 16


def test_it_can_be_written_down_and_read_again() -> None:
    assert Preprocessing.from_json(PREPROCESSING.as_json()) == PREPROCESSING


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", 0),
        ("size", "224"),
        ("crop", 1.5),
        ("resampling", "blurred"),
        ("mean", [1, 2]),
        ("mean", "123"),
        ("deviation", [1, 0, 1]),
    ],
)
def test_what_is_wrong_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        Preprocessing.from_json({**PREPROCESSING.as_json(), name: value})


def test_what_is_missing_or_unknown_is_named() -> None:
    with pytest.raises(ValueError, match="size, sizes: missing or not known"):
        Preprocessing.from_json({"sizes" if name == "size" else name: v for name, v in PREPROCESSING.as_json().items()})
