import zlib
from io import BytesIO

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from PIL import Image, ImageCms

from photofleet.images.formats import Format
from tests.pictures import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    animation,
    avif_claiming,
    corners,
    display_p3,
    encode,
    exif,
    gif_of,
    jpeg_claiming,
    jpeg_of_scans,
    png_chunk,
    png_with,
    stored_as,
)
from workers.image import BadImage, decode

# Tests make warnings errors; Photofleet ignores Pillow's, as `workers.image` sets once for its process.
pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\.")

LIMIT = 50_000_000
# One colour in the test profile (primaries of Display P3, gamma 2.2) and in sRGB, by the matrix of CSS Color 4.
IN_P3, IN_SRGB = (200, 100, 50), (216, 93, 24)


def decoded(content: bytes, format: Format, at_least: tuple[int, int] = (0, 0)) -> Image.Image:
    return decode(content, format, max_pixels=LIMIT, at_least=at_least)


def colours(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours in the middle of the four quarters, left to right, top to bottom."""
    xs, ys = (image.width // 4, image.width * 3 // 4), (image.height // 4, image.height * 3 // 4)
    found = [image.getpixel((x, y)) for y in ys for x in xs]
    return [colour for colour in found if isinstance(colour, tuple)]


def is_close(colour: tuple[int, ...], expected: tuple[int, ...], within: int = 12) -> bool:
    return len(colour) == len(expected) and all(abs(a - b) <= within for a, b in zip(colour, expected, strict=True))


def looks_like_corners(image: Image.Image) -> bool:
    return all(map(is_close, colours(image.convert("RGB")), (RED, GREEN, BLUE, WHITE)))


@pytest.mark.parametrize("format", Format)
def test_every_accepted_format_is_decoded(format: Format):
    image = decoded(encode(corners(), format), format)
    assert (image.mode, image.size) == ("RGB", (64, 48))
    assert looks_like_corners(image)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.HEIC, Format.TIFF])
def test_every_orientation_comes_out_upright(format: Format, orientation: int):
    stored = stored_as(corners(), orientation)
    image = decoded(encode(stored, format, exif=exif(orientation)), format)
    assert image.size == (64, 48)
    assert looks_like_corners(image)


def test_a_large_jpeg_is_decoded_no_larger_than_needed():
    content = encode(corners(1600, 1200), Format.JPEG)
    assert decoded(content, Format.JPEG).size == (1600, 1200)
    assert decoded(content, Format.JPEG, at_least=(640, 1)).size == (800, 600)
    assert decoded(content, Format.JPEG, at_least=(300, 300)).size == (400, 300)
    assert decoded(content, Format.JPEG, at_least=(801, 1)).size == (1600, 1200)
    assert decoded(content, Format.JPEG, at_least=(5000, 1)).size == (1600, 1200)


def test_the_size_needed_is_that_of_the_upright_picture():
    content = encode(corners(1600, 400), Format.JPEG, exif=exif(6))
    assert decoded(content, Format.JPEG, at_least=(200, 1)).size == (200, 800)
    assert decoded(content, Format.JPEG, at_least=(201, 1)).size == (400, 1600)


@pytest.mark.parametrize("format", [Format.GIF, Format.PNG, Format.WEBP, Format.AVIF])
def test_an_animation_gives_its_first_frame(format: Format):
    content = animation(format, corners(), Image.new("RGB", (64, 48), "black"))
    assert looks_like_corners(decoded(content, format))


def test_the_first_picture_of_a_stereo_pair_is_taken():
    output = BytesIO()
    corners().save(output, "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    assert looks_like_corners(decoded(output.getvalue(), Format.JPEG))


@pytest.mark.parametrize("format", [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.HEIC, Format.TIFF])
def test_colours_of_another_profile_become_those_of_srgb(format: Format):
    content = encode(Image.new("RGB", (64, 48), IN_P3), format, icc_profile=display_p3())
    assert is_close(decoded(content, format).getpixel((9, 9)), IN_SRGB, within=3)


def test_an_srgb_profile_by_any_name_leaves_the_pixels_alone():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise = Image.merge("RGB", [Image.effect_noise((64, 48), 90) for _ in range(3)])
    image = decoded(encode(noise, Format.PNG, icc_profile=srgb), Format.PNG)
    assert image.tobytes() == noise.tobytes()


@pytest.mark.parametrize(
    "profile", [b"rubbish", bytes(200), display_p3()[:200], display_p3().replace(b"RGB ", b"RG\xca ")]
)
def test_a_broken_profile_is_ignored(profile: bytes):
    content = encode(corners(), Format.PNG, icc_profile=profile)
    assert looks_like_corners(decoded(content, Format.PNG))


def test_a_profile_keeps_transparency():
    content = encode(Image.new("RGBA", (8, 8), (*IN_P3, 77)), Format.PNG, icc_profile=display_p3())
    assert is_close(decoded(content, Format.PNG).getpixel((4, 4)), (*IN_SRGB, 77), within=3)


def test_a_profile_that_does_not_fit_the_picture_is_ignored():
    content = encode(corners().convert("CMYK"), Format.JPEG, icc_profile=display_p3())
    assert is_close(colours(decoded(content, Format.JPEG))[3], WHITE)


def test_cmyk_becomes_rgb():
    image = decoded(encode(corners().convert("CMYK"), Format.JPEG), Format.JPEG)
    assert image.mode == "RGB"
    assert looks_like_corners(image)


def test_sixteen_bits_of_grey_are_scaled_not_clipped():
    deep = Image.new("I;16", (3, 1))
    for x, value in enumerate((0, 32_896, 65_535)):
        deep.putpixel((x, 0), value)
    image = decoded(encode(deep, Format.PNG), Format.PNG)
    assert [image.getpixel((x, 0)) for x in range(3)] == [(0, 0, 0), (128, 128, 128), (255, 255, 255)]


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("L", (4, 4), 100), (100, 100, 100)),
        (Image.new("1", (4, 4), 1), (255, 255, 255)),
        (Image.new("LA", (4, 4), (100, 50)), (100, 100, 100, 50)),
        (Image.new("RGBA", (4, 4), (1, 2, 3, 50)), (1, 2, 3, 50)),
        (Image.new("RGB", (4, 4), (1, 2, 3)).quantize(), (1, 2, 3)),
    ],
    ids=lambda value: getattr(value, "mode", None),
)
@pytest.mark.parametrize("icc_profile", [b"", display_p3()], ids=["untagged", "with a profile"])
def test_every_mode_becomes_rgb_or_rgba(picture: Image.Image, expected: tuple[int, ...], icc_profile: bytes):
    content = encode(picture, Format.PNG, **({"icc_profile": icc_profile} if icc_profile else {}))
    assert is_close(decoded(content, Format.PNG).getpixel((1, 1)), expected, within=3)


@pytest.mark.parametrize("format", [Format.PNG, Format.GIF])
def test_a_transparent_palette_entry_is_transparent(format: Format):
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.putpixel((1, 0), 1)
    image = decoded(encode(picture, format, transparency=1), format)
    assert image.getpixel((0, 0)) == (255, 0, 0, 255)
    assert image.getpixel((1, 0))[3] == 0


def test_no_metadata_is_left():
    content = encode(corners(), Format.JPEG, exif=exif(6), comment="secret", icc_profile=display_p3())
    image = decoded(content, Format.JPEG)
    assert image.info == {}
    assert dict(image.getexif()) == {}


@pytest.mark.parametrize("block", [b"", b"MM", b"II*\0\x08\0\0\0\xff\xff" + b"\1" * 50, b"rubbish " * 9])
def test_broken_exif_does_not_spoil_a_picture(block: bytes):
    content = encode(corners(), Format.JPEG, exif=b"Exif\0\0" + block)
    assert looks_like_corners(decoded(content, Format.JPEG))


@pytest.mark.parametrize("format", Format)
def test_a_file_cut_short_is_a_bad_image(format: Format):
    noise = Image.merge("RGB", [Image.effect_noise((200, 200), 90) for _ in range(3)])
    content = encode(noise, format)
    with pytest.raises(BadImage, match="damaged or incomplete"):
        decoded(content[: len(content) // 2], format)


@pytest.mark.parametrize("format", Format)
def test_damage_anywhere_is_a_bad_image_or_a_picture_but_nothing_else(format: Format):
    content = encode(corners(), format)
    for position in range(0, min(len(content), 400), 3):
        damaged = content[:position] + b"\xff" + content[position + 1 :]
        try:
            image = decoded(damaged, format)
        except BadImage:
            continue
        assert image.mode in ("RGB", "RGBA")


def test_only_the_decoder_of_the_given_format_is_tried():
    with pytest.raises(BadImage):
        decoded(encode(corners(), Format.PNG), Format.JPEG)


@pytest.mark.parametrize("format", Format)
def test_the_pixel_limit_is_checked_again(format: Format):
    content = encode(corners(64, 48), format)
    assert decode(content, format, max_pixels=64 * 48).size == (64, 48)
    with pytest.raises(BadImage, match="64 × 48 pixels; we take at most 3,071"):
        decode(content, format, max_pixels=64 * 48 - 1)


@pytest.mark.parametrize(
    ("content", "format"),
    [
        (jpeg_claiming(60_000, 60_000), Format.JPEG),
        (png_with(size=(60_000, 60_000)), Format.PNG),
        (gif_of(1, (60_000, 60_000)), Format.GIF),
        (png_with(png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000)))), Format.PNG),
        (jpeg_of_scans(2000), Format.JPEG),
    ],
    ids=["jpeg bomb", "png bomb", "gif bomb", "text bomb", "scan bomb"],
)
def test_a_bomb_is_a_bad_image(content: bytes, format: Format):
    with pytest.raises(BadImage):
        decoded(content, format)


def test_an_avif_that_codes_more_pixels_than_it_claims_is_a_bad_image():
    lie = avif_claiming((8, 8), encode(corners(64, 48), Format.AVIF))
    assert decode(lie, Format.AVIF, max_pixels=64 * 48).size == (8, 8)
    with pytest.raises(BadImage, match="far more work"):
        decode(lie, Format.AVIF, max_pixels=64 * 48 - 1)


def test_a_palette_picture_without_a_palette_is_a_bad_image():
    content = encode(corners().convert("P"), Format.PNG)
    with pytest.raises(BadImage):
        decoded(content.replace(b"PLTE", b"teXt"), Format.PNG)


def test_exif_after_the_pixels_of_a_png_counts():
    content = encode(stored_as(corners(), 6), Format.PNG)
    end = content.index(b"IEND") - 4
    late = content[:end] + png_chunk(b"eXIf", exif(6).removeprefix(b"Exif\0\0")) + content[end:]
    assert looks_like_corners(decoded(late, Format.PNG))


@pytest.mark.parametrize("step", ["to_srgb", "orientation_of"])
def test_a_fault_of_our_own_is_not_blamed_on_the_file(step: str, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object):
        raise AttributeError(step)

    content = encode(corners(), Format.PNG)
    monkeypatch.setattr(f"workers.image.decoding.{step}", fail)
    with pytest.raises(AttributeError, match=step):
        decoded(content, Format.PNG)


def test_a_time_limit_passes_through(monkeypatch: pytest.MonkeyPatch):
    def load(_: Image.Image):
        raise SoftTimeLimitExceeded

    content = encode(corners(), Format.PNG)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    with pytest.raises(SoftTimeLimitExceeded):
        decoded(content, Format.PNG)


def test_running_out_of_memory_is_not_the_fault_of_the_file(monkeypatch: pytest.MonkeyPatch):
    def load(_: Image.Image):
        raise MemoryError

    content = encode(corners(), Format.PNG)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    with pytest.raises(MemoryError):
        decoded(content, Format.PNG)
