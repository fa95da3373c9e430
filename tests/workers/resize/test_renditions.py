from collections.abc import Iterator
from io import BytesIO

import pytest
from PIL import ExifTags, Image, ImageChops, ImageStat

from photofleet.images.formats import Format, sniff
from photofleet.images.renditions import DEFAULT_RENDITIONS, parse_renditions
from tests.pictures import BLUE, GREEN, RED, WHITE, corners, display_p3, encode, exif, png_chunk, stored_as
from workers.image import BadImage
from workers.resize.renditions import make_renditions
from workers.resize.results import Placeholder, Rendition

# Tests make warnings errors; Photofleet ignores Pillow's, as `workers.image` sets once for its process.
pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\.")

WITH_EXIF = [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.HEIC, Format.TIFF]


def made(content: bytes, format: Format, declared: str = DEFAULT_RENDITIONS) -> list[Placeholder | Rendition]:
    return list(make_renditions(content, format, parse_renditions(declared), max_pixels=50_000_000))


def renditions(content: bytes, format: Format, declared: str = DEFAULT_RENDITIONS) -> Iterator[Rendition]:
    return (result for result in made(content, format, declared) if isinstance(result, Rendition))


def opened(rendition: Rendition) -> Image.Image:
    return Image.open(BytesIO(rendition.data), formats=[rendition.spec.format.pillow_name])


def is_close(colour: object, expected: tuple[int, ...], within: int = 14) -> bool:
    assert isinstance(colour, tuple)
    return all(abs(a - b) <= within for a, b in zip(colour, expected, strict=True))


def assert_looks_like_corners(image: Image.Image) -> None:
    shown = image.convert("RGB")
    quarters = [shown.getpixel((image.width * x // 4, image.height * y // 4)) for y in (1, 3) for x in (1, 3)]
    assert all(map(is_close, quarters, (RED, GREEN, BLUE, WHITE)))


def test_renditions_come_largest_first_and_what_takes_long_comes_last():
    order = [
        (result.spec.name, result.spec.format) if isinstance(result, Rendition) else "placeholder"
        for result in made(encode(corners(320, 200), Format.JPEG), Format.JPEG, "w160 160 avif, w320 320")
    ]
    assert order == [
        ("w320", Format.JPEG),
        ("w320", Format.WEBP),
        ("w160", Format.JPEG),
        ("w160", Format.WEBP),
        "placeholder",
        ("w160", Format.AVIF),
    ]


@pytest.mark.parametrize("format", Format)
def test_each_rendition_is_the_picture_in_the_size_and_format_it_says(format: Format):
    for rendition in renditions(encode(corners(700, 350), format), format, "w160 160 avif, w640 640"):
        assert sniff(rendition.data[:128]) is rendition.spec.format
        image = opened(rendition)
        assert image.size == (rendition.width, rendition.height) == (rendition.spec.width, rendition.spec.width // 2)
        assert_looks_like_corners(image)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", WITH_EXIF)
def test_every_orientation_comes_out_upright(format: Format, orientation: int):
    content = encode(stored_as(corners(300, 200), orientation), format, exif=exif(orientation))
    for rendition in renditions(content, format, "w150 150"):
        assert (rendition.width, rendition.height) == (150, 100)
        assert_looks_like_corners(opened(rendition))


def test_an_orientation_that_follows_the_pixels_counts():
    content = encode(stored_as(corners(300, 200), 6), Format.PNG)
    end = content.index(b"IEND") - 4
    late = content[:end] + png_chunk(b"eXIf", exif(6).removeprefix(b"Exif\0\0")) + content[end:]
    for rendition in renditions(late, Format.PNG, "w150 150"):
        assert (rendition.width, rendition.height) == (150, 100)
        assert_looks_like_corners(opened(rendition))


@pytest.mark.parametrize("width", [1600, 1300, 900, 640])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_comes_out_right_whatever_scale_it_is_decoded_at(width: int, orientation: int):
    content = encode(stored_as(corners(width, width // 2), orientation), Format.JPEG, exif=exif(orientation))
    for rendition in renditions(content, Format.JPEG, "w100 100, w640 640"):
        assert opened(rendition).size == (rendition.spec.width, rendition.spec.width // 2)
        assert_looks_like_corners(opened(rendition))


@pytest.mark.parametrize(
    ("picture", "options"),
    [
        (corners(700, 350).convert("L"), {}),
        (corners(700, 350).convert("CMYK"), {}),
        (corners(700, 350), {"progressive": True}),
        (corners(700, 350), {"subsampling": "4:4:4"}),
    ],
    ids=["grey", "CMYK", "progressive", "4:4:4"],
)
def test_every_kind_of_jpeg_is_taken(picture: Image.Image, options: dict[str, object]):
    for rendition in renditions(encode(picture, Format.JPEG, **options), Format.JPEG, "w320 320"):
        shown = opened(rendition).convert("RGB")
        assert is_close(shown.getpixel((240, 120)), WHITE)
        assert is_close(shown.getpixel((80, 40)), picture.convert("RGB").getpixel((175, 87)))  # type: ignore[arg-type]


@pytest.mark.parametrize("format", WITH_EXIF)
def test_colours_of_another_profile_become_those_of_srgb(format: Format):
    # One colour in the test profile (primaries of Display P3, gamma 2.2) and in sRGB, by the matrix of CSS Color 4.
    content = encode(Image.new("RGB", (400, 300), (200, 100, 50)), format, icc_profile=display_p3())
    for rendition in renditions(content, format, "w160 160"):
        assert is_close(opened(rendition).convert("RGB").getpixel((80, 60)), (216, 93, 24), within=4)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_profile_that_is_not_for_grey_changes_no_grey(mode: str):
    content = encode(Image.new("L", (400, 300), 100).convert(mode), Format.PNG, icc_profile=display_p3())
    for rendition in renditions(content, Format.PNG, "w160 160"):
        assert is_close(opened(rendition).convert("RGB").getpixel((80, 60)), (100, 100, 100), within=2)


def test_sixteen_bits_a_channel_are_scaled_to_eight():
    deep = Image.new("I;16", (400, 300), 32_896)
    for rendition in renditions(encode(deep, Format.PNG), Format.PNG, "w160 160"):
        assert is_close(opened(rendition).convert("RGB").getpixel((80, 60)), (128, 128, 128), within=2)


def test_transparency_is_kept_but_in_jpeg_where_it_is_white():
    clear = Image.new("RGBA", (400, 200), (255, 0, 0, 0))
    for rendition in renditions(encode(clear, Format.PNG), Format.PNG, "w160 160 avif"):
        image = opened(rendition)
        if rendition.spec.format is Format.JPEG:
            assert image.convert("RGB").getextrema() == ((255, 255),) * 3
        else:
            assert image.convert("RGBA").getchannel("A").getextrema() == (0, 0)


def test_what_is_transparent_lends_its_colour_to_nothing():
    half = Image.new("RGBA", (400, 200), (255, 0, 0, 0))
    half.paste((0, 0, 255, 255), (200, 0, 400, 200))
    (_, webp) = renditions(encode(half, Format.PNG), Format.PNG, "w100 100")
    shown = opened(webp).convert("RGBA")
    reds = [shown.getpixel((x, 25))[0] for x in range(100) if shown.getpixel((x, 25))[3] > 60]  # type: ignore[index]
    assert len(reds) >= 50
    assert max(reds) < 60


def test_a_cover_shows_the_middle_of_the_picture_only():
    wide = Image.new("RGB", (900, 300), RED)
    wide.paste(GREEN, (300, 0, 600, 300))
    content = encode(wide, Format.PNG)
    for rendition in renditions(content, Format.PNG, "w9 9, square 100x100 cover"):
        if rendition.spec.name == "square":
            shown = opened(rendition).convert("RGB")
            assert shown.size == (rendition.width, rendition.height) == (100, 100)
            assert all(is_close(shown.getpixel((x, 50)), GREEN, within=20) for x in (6, 50, 93))


def test_quality_and_effort_decide_on_the_bytes():
    content = encode(Image.effect_noise((400, 300), 60).convert("RGB"), Format.PNG)

    def sizes(declared: str) -> dict[Format, int]:
        return {r.spec.format: len(r.data) for r in renditions(content, Format.PNG, declared)}

    plain, fine = sizes("w320 320 jpeg webp avif"), sizes("w320 320 jpeg:95 webp:95 avif:90")
    frugal = sizes("w320 320 jpeg:80:1 webp:80:6 avif:63:4")
    assert all(fine[format] > plain[format] for format in plain)
    assert all(frugal[format] != plain[format] for format in plain)
    assert frugal[Format.JPEG] < plain[Format.JPEG]


SECRETS = (
    b"SN-4711",
    b"SpyCam",
    b"secret",
    b"N 52 deg",
    b"JFXX\0",
    b"Exif\0\0",
    b"ICC_PROFILE",
    b"acspAPPL",
    b"xmpmeta",
)


def tagged() -> bytes:
    """EXIF with a serial number, a place, words, and a thumbnail."""
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "SpyCam"
    tags[ExifTags.Base.ImageDescription] = "secret description"
    details = tags.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.BodySerialNumber] = "SN-4711"
    details[ExifTags.Base.MakerNote] = b"secret maker's note with an embedded preview"
    place = tags.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = "N 52 deg"
    return tags.tobytes()


@pytest.mark.parametrize("format", WITH_EXIF)
def test_nothing_but_the_picture_is_in_a_rendition(format: Format):
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>secret place</x:xmpmeta>"
    options: dict[str, object] = {"exif": tagged(), "icc_profile": display_p3()}
    options |= {"comment": "secret words"} if format in (Format.JPEG, Format.GIF) else {}
    options |= {"xmp": xmp} if format is not Format.TIFF else {}
    content = encode(corners(640, 480), format, **options)
    if format is Format.JPEG:  # a thumbnail beside the one in EXIF (JFIF 1.02, page 5)
        thumbnail = b"JFXX\0\x10" + encode(corners(16, 12), Format.JPEG, comment="secret thumbnail")
        content = content[:2] + b"\xff\xe0" + (len(thumbnail) + 2).to_bytes(2) + thumbnail + content[2:]
    assert sum(secret in content for secret in SECRETS) >= 3
    for rendition in renditions(content, format, "w160 160 avif, w640 640"):
        assert [secret for secret in SECRETS if secret in rendition.data] == []
        assert not {"comment", "icc_profile", "exif", "xmp", "photoshop"} & set(opened(rendition).info)


@pytest.mark.parametrize("cut", [0.3, 0.9])
@pytest.mark.parametrize("format", [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.HEIC])
def test_a_file_cut_short_is_a_bad_image(format: Format, cut: float):
    content = encode(Image.effect_noise((300, 200), 90).convert("RGB"), format)
    with pytest.raises(BadImage, match="damaged"):
        made(content[: int(len(content) * cut)], format)


def test_a_jpeg_with_damaged_data_is_a_bad_image_and_no_half_of_one():
    content = encode(Image.effect_noise((300, 200), 90).convert("RGB"), Format.JPEG, restart_marker_blocks=20)
    damaged = content.replace(b"\xff\xd3", b"\xff\xd6", 1)  # restart markers out of turn
    assert damaged != content
    with pytest.raises(BadImage, match="damaged"):
        made(damaged, Format.JPEG)


def test_a_jpeg_whose_profile_lacks_a_piece_is_still_a_picture():
    content = encode(corners(300, 200), Format.JPEG, icc_profile=display_p3())
    at = content.index(b"ICC_PROFILE\0") + 12
    broken = content[:at] + b"\x02\x09" + content[at + 2 :]  # the second of nine
    assert_looks_like_corners(opened(next(renditions(broken, Format.JPEG, "w160 160"))))


def with_sampling(content: bytes, *factors: int) -> bytes:
    """The JPEG with other sampling factors of its components in the header (ITU-T T.81, B.2.2)."""
    at = content.index(b"\xff\xc0") + 11
    for number, factor in enumerate(factors):
        content = content[: at + 3 * number] + bytes([factor]) + content[at + 3 * number + 1 :]
    return content


@pytest.mark.parametrize("size", [(300, 200), (4600, 3100)], ids=["decoded at once", "line by line"])
def test_a_jpeg_is_not_refused_for_what_spoils_no_pixel(size: tuple[int, int]):
    content = encode(corners(*size), Format.JPEG)
    padded = content[:-2] + bytes(5) + content[-2:]
    newer = content.replace(b"JFIF\0\1\1", b"JFIF\0\3\1")
    assert newer != content
    for harmless in (padded, newer):
        assert_looks_like_corners(opened(next(renditions(harmless, Format.JPEG, "w160 160"))))


def test_a_jpeg_of_a_sampling_without_a_name_is_taken():
    # Grey throughout, so that its data means the same whatever share of it belongs to which component.
    content = encode(Image.new("RGB", (64, 64), (128, 128, 128)), Format.JPEG, subsampling="4:4:4")
    odd = with_sampling(content, 0x11, 0x11, 0x12)
    assert is_close(opened(next(renditions(odd, Format.JPEG, "w16 16"))).convert("RGB").getpixel((5, 5)), (128,) * 3)


@pytest.mark.parametrize("cut", [0.2, 0.95])
def test_a_large_jpeg_cut_short_is_a_bad_image(cut: float):
    content = encode(corners(4600, 3100), Format.JPEG)
    with pytest.raises(BadImage, match="damaged"):
        made(content[: int(len(content) * cut)], Format.JPEG)


def test_a_large_jpeg_that_no_decoder_opens_is_a_bad_image():
    content = encode(corners(4600, 3100), Format.JPEG)
    at = content.index(b"\xff\xc0")
    with pytest.raises(BadImage, match="damaged"):
        made(content[:at] + content[at : at + 19] + content[at:], Format.JPEG)  # its header twice


def test_a_large_picture_in_inks_stays_sharp():
    noise = Image.effect_noise((1000, 600), 70).resize((2000, 1200), Image.Resampling.BICUBIC).convert("CMYK")
    content = encode(noise, Format.JPEG, quality=95)
    rendition = next(renditions(content, Format.JPEG, "w960 960 jpeg:100"))
    expected = Image.open(BytesIO(content)).convert("RGB").resize((960, 576), Image.Resampling.LANCZOS)
    difference = ImageChops.difference(opened(rendition).convert("RGB"), expected)
    assert sum(ImageStat.Stat(difference).mean) / 3 < 3


def tiff_of(picture: Image.Image, **tags: int) -> bytes:
    """An uncompressed TIFF with these of its tags overwritten, by their numbers."""
    output = BytesIO()
    picture.save(output, "TIFF", tiffinfo={int(number[1:]): value for number, value in tags.items()})
    return output.getvalue()


def test_a_tiff_that_counts_from_white_is_no_negative():
    deep = Image.new("I;16", (40, 30), 0)
    for rendition in renditions(tiff_of(deep, t262=0), Format.TIFF, "w20 20"):
        assert is_close(opened(rendition).convert("RGB").getpixel((10, 10)), WHITE, within=2)


@pytest.mark.parametrize("mode", ["F", "I"])
def test_a_tiff_of_numbers_of_which_none_is_white_is_a_bad_image(mode: str):
    with pytest.raises(BadImage, match="8 or 16 bits a channel"):
        made(tiff_of(Image.new(mode, (40, 30), 1)), Format.TIFF)


def test_more_pixels_than_allowed_are_refused_before_any_is_decoded():
    content = encode(corners(300, 200), Format.PNG)
    with pytest.raises(BadImage, match=r"300 × 200 pixels; we take at most 50,000 in all"):
        list(make_renditions(content, Format.PNG, parse_renditions("w9 9"), max_pixels=50_000))


def test_no_other_decoder_is_tried_than_that_of_the_format():
    with pytest.raises(BadImage):
        made(encode(corners(), Format.PNG), Format.GIF)
