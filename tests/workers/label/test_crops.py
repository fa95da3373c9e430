from itertools import pairwise

import pytest

from workers.label.crops import MOST, crops

SHARE = 0.875
LENGTHS = (1, 2, 3, 7, 99, 100, 260, 719, 720, 1080, 1279, 1280, 1920, 4032, 30_001, 100_000)


def test_a_photo_of_a_camera_is_looked_at_in_its_middle() -> None:
    assert crops(4000, 3000, SHARE) == [(687.5, 187.5, 2625)]
    assert crops(3000, 4000, SHARE) == [(187.5, 687.5, 2625)]


@pytest.mark.parametrize(
    ("width", "height", "count"),
    [
        (1000, 1000, 1),
        (1500, 1000, 1),
        (1600, 1000, 1),
        (1920, 1080, 3),
        (1080, 1920, 3),
        (3000, 1000, 5),
        (1, 9000, 5),
    ],
)
def test_the_longer_a_photo_is_the_more_squares_it_has(width: int, height: int, count: int) -> None:
    assert len(crops(width, height, SHARE)) == count


def test_a_wide_photo_is_looked_at_from_its_left_to_its_right() -> None:
    lefts = [crop.left for crop in crops(2000, 1000, SHARE)]

    assert lefts == [62.5, 562.5, 1062.5]


@pytest.mark.parametrize("width", LENGTHS)
@pytest.mark.parametrize("height", LENGTHS)
@pytest.mark.parametrize("share", [SHARE, 1])
def test_squares_are_within_the_photo_and_one_is_in_its_middle(width: int, height: int, share: float) -> None:
    squares = crops(width, height, share)

    assert 1 <= len(squares) <= MOST
    for left, top, side in squares:
        assert side == share * min(width, height)
        assert 0 <= left <= width - side
        assert 0 <= top <= height - side
    middle = squares[len(squares) // 2]
    assert middle.left + middle.side / 2 == pytest.approx(width / 2)
    assert middle.top + middle.side / 2 == pytest.approx(height / 2)


@pytest.mark.parametrize("width", [*range(1000, 2751, 25)])
def test_up_to_11_to_4_nothing_is_left_out_between_the_squares(width: int) -> None:
    squares = crops(width, 1000, SHARE)

    assert all(after.left <= before.left + before.side for before, after in pairwise(squares))
