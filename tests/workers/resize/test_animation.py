from io import BytesIO

import pytest
from PIL import Image, ImageSequence

from photofleet.images.formats import Format
from photofleet.images.renditions import parse_renditions
from tests.pictures import animation, encode, exif
from workers.resize.animation import MAX_FRAMES, make_animation
from workers.resize.results import Rendition

(SPEC,) = (spec for spec in parse_renditions("w9 9, animated 40 animation") if spec.name == "animated")

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def frames(count: int, size: tuple[int, int] = (80, 60)) -> list[Image.Image]:
    return [Image.new("RGB", size, COLOURS[number % 3]) for number in range(count)]


def animated(content: bytes, format: Format = Format.GIF) -> Rendition | None:
    return make_animation(content, format, SPEC, max_pixels=50_000_000)


def shown(rendition: Rendition | None) -> Image.Image:
    assert rendition
    return Image.open(BytesIO(rendition.data), formats=["WEBP"])


@pytest.mark.parametrize("format", [Format.GIF, Format.WEBP, Format.PNG])
def test_a_picture_that_moves_moves_on(format: Format):
    moving = shown(animated(animation(format, *frames(3), duration=[100, 200, 300], loop=0), format))
    assert moving.size == (40, 30)
    durations, colours = [], []
    for frame in ImageSequence.Iterator(moving):
        frame.load()
        durations.append(frame.info["duration"])
        colours.append(frame.convert("RGB").getpixel((20, 15)))
    assert durations == [100, 200, 300]
    assert all(
        max(range(3), key=lambda channel: colour[channel]) == number  # type: ignore[index]
        for number, colour in enumerate(colours)
    )


@pytest.mark.parametrize(
    ("options", "loops"), [({}, 1), ({"loop": 0}, 0), ({"loop": 2}, 3)], ids=["once", "for ever", "twice more"]
)
def test_it_is_played_as_often_as_the_gif(options: dict[str, int], loops: int):
    content = animation(Format.GIF, *frames(2), duration=100, **options)
    assert shown(animated(content)).info["loop"] == loops


def test_a_gif_that_asks_for_no_time_a_frame_gets_what_browsers_give_it():
    moving = shown(animated(animation(Format.GIF, *frames(2), duration=0)))
    moving.seek(0)
    moving.load()
    assert moving.info["duration"] == 100


def test_transparency_moves_too():
    clear = [Image.new("RGBA", (80, 60), (*colour, 0)) for colour in COLOURS]
    for number, frame in enumerate(clear):
        frame.paste((0, 0, 0, 255), (number * 20, 0, number * 20 + 20, 60))
    moving = shown(animated(animation(Format.WEBP, *clear, duration=100, lossless=True), Format.WEBP))
    moving.seek(1)
    second = moving.convert("RGBA").getchannel("A")
    assert second.getpixel((15, 15)) == 255
    assert second.getpixel((5, 15)) == second.getpixel((25, 15)) == 0


@pytest.mark.parametrize("format", [Format.GIF, Format.JPEG, Format.PNG])
def test_a_still_picture_has_none(format: Format):
    assert animated(encode(frames(1)[0], format), format) is None


def test_one_of_too_many_frames_has_none():
    assert animated(animation(Format.GIF, *frames(MAX_FRAMES + 1, (2, 2)))) is None


def test_one_of_too_many_pixels_has_none(monkeypatch: pytest.MonkeyPatch):
    content = animation(Format.GIF, *frames(3))
    monkeypatch.setattr("workers.resize.animation.MAX_PIXELS", 3 * 40 * 30)
    assert animated(content)
    monkeypatch.setattr("workers.resize.animation.MAX_PIXELS", 3 * 40 * 30 - 1)
    assert animated(content) is None


def test_one_that_breaks_off_has_none():
    content = animation(Format.WEBP, *(Image.effect_noise((80, 60), 50 + n) for n in range(4)))
    assert animated(content[: len(content) * 2 // 3], Format.WEBP) is None


def test_all_frames_together_are_held_to_the_limit_on_pixels():
    content = animation(Format.GIF, *frames(3))
    assert make_animation(content, Format.GIF, SPEC, max_pixels=3 * 80 * 60)
    assert make_animation(content, Format.GIF, SPEC, max_pixels=3 * 80 * 60 - 1) is None


def test_one_with_a_frame_beyond_its_canvas_has_none():
    content = animation(Format.GIF, *frames(2, (80, 60)), duration=100)
    second = content.rindex(b",\0\0\0\0")
    assert animated(content)
    assert animated(content[: second + 1] + b"\x40\0" + content[second + 3 :]) is None  # 64 px to the right


@pytest.mark.parametrize("format", [Format.WEBP, Format.PNG])
def test_it_is_as_upright_as_the_still_picture(format: Format):
    content = animation(format, *frames(3), duration=100, exif=exif(6))
    moving = animated(content, format)
    assert moving
    assert shown(moving).size == (moving.width, moving.height) == (40, 53)


def test_the_default_image_of_an_apng_is_no_part_of_it():
    content = animation(Format.PNG, *frames(4), default_image=True, duration=[100, 200, 300])
    moving = shown(animated(content, Format.PNG))
    assert moving.n_frames == 3
    moving.load()
    assert moving.convert("RGB").getpixel((20, 15))[1] > 200  # green, the second
