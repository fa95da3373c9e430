from io import BytesIO

import pytest
from PIL import Image

from photofleet.images.formats import Format
from tests.pictures import BLUE, GREEN, RED, WHITE, corners, display_p3, encode, exif
from workers.image import decode
from workers.resize.renditions import MAX_SIDE, WIDTHS, Rendition, render


def opened(rendition: Rendition) -> Image.Image:
    return Image.open(BytesIO(rendition.data), formats=[rendition.format.pillow_name])


def widths_of(image: Image.Image) -> dict[str, int]:
    return {rendition.name: rendition.width for rendition in render(image) if rendition.format is Format.WEBP}


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
def test_a_photo_is_never_enlarged(width: int, expected: dict[str, int]):
    assert widths_of(Image.new("RGB", (width, 40))) == expected


def test_renditions_come_largest_first_each_in_both_formats():
    order = [(rendition.name, rendition.format) for rendition in render(corners(320, 200))]
    assert order == [
        ("w320", Format.JPEG),
        ("w320", Format.WEBP),
        ("w160", Format.JPEG),
        ("w160", Format.WEBP),
    ]


def test_each_rendition_is_the_picture_in_the_size_it_says():
    for rendition in render(corners(2600, 1300)):
        image = opened(rendition).convert("RGB")
        assert image.size == (rendition.width, rendition.height) == (rendition.width, rendition.width // 2)
        quarters = [image.getpixel((image.width * x // 4, image.height * y // 4)) for y in (1, 3) for x in (1, 3)]
        for colour, expected in zip(quarters, (RED, GREEN, BLUE, WHITE), strict=True):
            assert all(abs(a - b) <= 12 for a, b in zip(colour, expected, strict=True))


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000), (3000, 2), (700, 50_000), (17_000, 17), (1, 1)])
def test_extreme_shapes_fit_both_formats(size: tuple[int, int]):
    renditions = list(render(Image.new("RGB", size)))
    for rendition in renditions:
        assert opened(rendition).size == (rendition.width, rendition.height)
        assert 1 <= rendition.width <= min(size[0], WIDTHS[-1])
        assert 1 <= rendition.height <= min(size[1], MAX_SIDE)
    sizes = [(r.width, r.height) for r in renditions if r.format is Format.JPEG]
    assert len(set(sizes)) == len(sizes)


def test_transparency_is_kept_in_webp_and_white_in_jpeg():
    clear = Image.new("RGBA", (200, 100), (255, 0, 0, 0))
    for rendition in render(clear):
        image = opened(rendition)
        if rendition.format is Format.JPEG:
            assert image.mode == "RGB"
            assert image.getextrema() == ((255, 255),) * 3
        else:
            assert image.mode == "RGBA"
            assert image.getchannel("A").getextrema() == (0, 0)


def test_nothing_but_the_picture_is_in_a_rendition():
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>secret place</x:xmpmeta>"
    content = encode(
        corners(640, 480), Format.JPEG, exif=exif(6), comment="secret words", icc_profile=display_p3(), xmp=xmp
    )
    for needle in (b"Exif", b"Spy camera", b"ICC_PROFILE", b"xmpmeta", b"secret"):
        assert needle in content
    for rendition in render(decode(BytesIO(content), Format.JPEG, max_pixels=1_000_000)):
        for needle in (b"Exif", b"EXIF", b"Spy", b"ICC", b"GPS", b"XMP", b"xmp", b"secret"):
            assert needle not in rendition.data


def test_metadata_left_on_an_image_is_not_saved_either():
    image = corners(200, 100)
    image.info = {"comment": b"secret", "icc_profile": display_p3(), "exif": exif(), "xmp": b"secret"}
    for rendition in render(image):
        assert not {"comment", "icc_profile", "exif", "xmp"} & set(opened(rendition).info)
