from itertools import pairwise

import pytest

from photofleet.images.formats import Format
from photofleet.images.renditions import DEFAULT_RENDITIONS, MAX_SIDE, parse_renditions
from workers.resize.plan import Step, plan

SPECS = parse_renditions(DEFAULT_RENDITIONS)


def sizes(size: tuple[int, int], declared: str = DEFAULT_RENDITIONS) -> dict[str, tuple[int, int]]:
    """The size in pixels of each rendition, by name."""
    return {spec.name: step.crop[2:] for step in plan(size, parse_renditions(declared)) for spec in step.specs}


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (1, {"w160": 1}),
        (29, {"w160": 29}),
        (160, {"w160": 160}),
        (161, {"w160": 160, "w320": 161}),
        (500, {"w160": 160, "w320": 320, "w640": 500}),
        (640, {"w160": 160, "w320": 320, "w640": 640}),
        (2047, {"w160": 160, "w320": 320, "w640": 640, "w1280": 1280, "w2048": 2047}),
        (3000, {"w160": 160, "w320": 320, "w640": 640, "w1280": 1280, "w2048": 2048}),
    ],
)
def test_a_photo_is_never_enlarged_nor_made_twice_in_its_own_size(width: int, expected: dict[str, int]):
    assert {name: size[0] for name, size in sizes((width, 40)).items()} == expected


def test_each_size_can_be_made_of_the_one_before():
    steps = plan((4000, 3000), parse_renditions(DEFAULT_RENDITIONS + ", square 300x300 cover, tall 200x900 cover"))
    for larger, smaller in pairwise(steps):
        assert larger.size[0] >= smaller.size[0]
        assert larger.size[1] >= smaller.size[1]


def test_every_size_is_made_once_for_all_its_files():
    steps = plan((1000, 500), parse_renditions("w320 320 avif, box 320x900, square 200x200 cover"))
    assert [(step.size, [spec.name for spec in step.specs]) for step in steps] == [
        ((400, 200), ["square", "square"]),
        ((320, 160), ["box", "box", "w320", "w320", "w320"]),
    ]


def test_a_box_holds_the_whole_picture():
    assert sizes((4000, 1000), "box 400x400") == {"box": (400, 100)}
    assert sizes((1000, 4000), "box 400x400") == {"box": (100, 400)}
    assert sizes((300, 200), "box 400x400") == {"box": (300, 200)}


def test_a_covered_box_takes_the_middle_of_the_picture():
    (step,) = (s for s in plan((4000, 1000), parse_renditions("w9 9, square 400x400 cover")) if s.size[0] > 9)
    assert (step.size, step.crop) == ((1600, 400), (600, 0, 400, 400))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((300, 200), (200, 200)),  # smaller than the box on both sides: the largest square there is
        ((4000, 200), (200, 200)),  # on one
        ((1, 50), (1, 1)),
    ],
)
def test_a_picture_too_small_to_cover_its_box_keeps_the_boxs_proportions(
    size: tuple[int, int], expected: tuple[int, int]
):
    assert sizes(size, "w9 9, square 400x400 cover")["square"] == expected


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000), (3000, 2), (700, 50_000), (17_000, 17), (1, 1)])
def test_extreme_shapes_stay_within_what_a_webp_can_be(size: tuple[int, int]):
    declared = DEFAULT_RENDITIONS + ", square 300x300 cover, huge 16383, strip 16383x100 cover"
    for step in plan(size, parse_renditions(declared)):
        left, top, width, height = step.crop
        assert 0 <= left <= left + width <= step.size[0] <= min(size[0], MAX_SIDE)
        assert 0 <= top <= top + height <= step.size[1] <= min(size[1], MAX_SIDE)
        assert width >= 1
        assert height >= 1


def test_animations_are_none_of_the_steps():
    assert all(spec.name != "animated" for step in plan((100, 100), SPECS) for spec in step.specs)


def test_avif_is_made_only_where_it_is_named():
    steps: list[Step] = plan((1000, 500), parse_renditions("w160 160, w320 320 avif"))
    assert [[spec.format for spec in step.specs] for step in steps] == [
        [Format.JPEG, Format.WEBP, Format.AVIF],
        [Format.JPEG, Format.WEBP],
    ]
