import numpy as np
import pytest
from PIL import Image

from workers.label.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(
    size=8, crop=0.5, resampling=Image.Resampling.BICUBIC, mean=(0, 100, 200), deviation=(1, 2, 4)
)


def test_channels_are_shifted_and_scaled_each_by_its_own_numbers() -> None:
    pixels = PREPROCESSING(Image.new("RGB", (20, 20), (10, 110, 220)))

    assert pixels.shape == (3, 8, 8)
    assert pixels.mean(dim=(1, 2)).tolist() == [10, 5, 5]


def test_only_the_middle_square_counts() -> None:
    picture = Image.new("RGB", (100, 40), "white")
    picture.paste("black", (38, 8, 62, 32))  # the square of 20, and as far around it as resizing looks

    assert PREPROCESSING(picture)[0].max() == 0


def test_the_square_is_resized_as_if_the_whole_picture_was_and_then_cropped() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    whole = picture.resize((24, 16), PREPROCESSING.resampling).crop((8, 4, 16, 12))

    assert np.array_equal(PREPROCESSING(picture)[0].numpy(), np.asarray(whole)[..., 0])


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1), (3, 2)])
def test_tiny_and_extremely_long_pictures_work(size: tuple[int, int]) -> None:
    assert (PREPROCESSING(Image.new("RGB", size, "white"))[0] == 255).all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P"])
def test_a_picture_that_is_not_rgb_is_refused(mode: str) -> None:
    with pytest.raises(ValueError, match=f"mode RGB, not {mode}"):
        PREPROCESSING(Image.new(mode, (4, 4)))


def test_the_short_side_that_loses_no_detail_is_the_size_before_cropping() -> None:
    assert PREPROCESSING.short_side == 16
