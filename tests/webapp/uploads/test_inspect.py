import struct
import subprocess
import sys
import time
import zlib
from datetime import UTC, datetime
from io import BytesIO

import pytest
from PIL import Image, ImageFile

from photofleet.images.formats import Format
from photofleet.images.tiff import Tag
from tests.pictures import (
    animation,
    avif_claiming,
    corners,
    encode,
    exif,
    gif_of,
    jpeg_claiming,
    jpeg_of_scans,
    png_chunk,
    png_with,
    stored_as,
    tiff_saying,
)
from webapp.uploads.inspect import MAX_FRAMES, Inspected, inspect
from webapp.uploads.refusals import (
    EmptyFile,
    TooCostly,
    TooManyFrames,
    TooManyPixels,
    TooMuchMetadata,
    UnreadableImage,
    UnsupportedFormat,
    UploadRefused,
)

# Tests make warnings errors; Photofleet ignores Pillow's, as `inspect` sets once for its process.
pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\.")

LIMIT = 50_000_000
WITH_EXIF = [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.HEIC, Format.TIFF]


def inspected(content: bytes, max_pixels: int = LIMIT) -> Inspected:
    return inspect(BytesIO(content), max_pixels=max_pixels)


def quickly_refused(content: bytes) -> UploadRefused:
    started = time.process_time()
    with pytest.raises(UploadRefused) as refusal:
        inspected(content)
    assert time.process_time() - started < 5
    return refusal.value


@pytest.mark.parametrize("format", Format)
def test_format_and_size_are_told(format: Format):
    assert inspected(encode(corners(64, 48), format)) == Inspected(format, 64, 48, 1, None)


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": exif()}, {"quality": 50}])
def test_every_kind_of_webp_tells_its_size(options: dict[str, object]):
    found = inspected(encode(corners(301, 203), Format.WEBP, **options))
    assert (found.width, found.height) == (301, 203)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", WITH_EXIF)
def test_size_is_as_displayed(format: Format, orientation: int):
    stored = stored_as(corners(64, 48), orientation)
    found = inspected(encode(stored, format, exif=exif(orientation)))
    assert (found.width, found.height) == (64, 48)


@pytest.mark.parametrize("format", [Format.GIF, Format.PNG, Format.WEBP, Format.AVIF])
def test_frames_of_an_animation_are_counted(format: Format):
    frames = [Image.new("RGB", (30, 20), (80 * n, 0, 0)) for n in range(3)]
    assert inspected(animation(format, *frames)).frames == 3


@pytest.mark.parametrize("format", [Format.GIF, Format.PNG, Format.WEBP, Format.AVIF])
def test_the_pixel_limit_is_over_all_frames(format: Format):
    content = animation(format, *[Image.new("RGB", (30, 20), (80 * n, 0, 0)) for n in range(3)])
    assert inspected(content, max_pixels=1800).frames == 3
    with pytest.raises(
        TooManyPixels, match=r"3 frames of 30 × 20 pixels, 1,800 pixels in all; we take at most 1,799 pixels"
    ):
        inspected(content, max_pixels=1799)


@pytest.mark.parametrize("format", Format)
def test_a_picture_of_exactly_the_limit_is_taken_and_one_pixel_more_is_not(format: Format):
    content = encode(corners(64, 48), format)
    inspected(content, max_pixels=64 * 48)
    with pytest.raises(TooManyPixels):
        inspected(content, max_pixels=64 * 48 - 1)


def test_further_pictures_in_a_jpeg_do_not_count():
    output = BytesIO()
    corners().save(output, "MPO", save_all=True, append_images=[corners(), corners()])
    assert inspected(output.getvalue(), max_pixels=64 * 48) == Inspected(Format.JPEG, 64, 48, 1, None)


def test_further_pages_of_a_tiff_do_not_count():
    content = animation(Format.TIFF, corners(), corners(), corners())
    assert inspected(content, max_pixels=64 * 48) == Inspected(Format.TIFF, 64, 48, 1, None)


def test_a_tiff_in_the_other_byte_order_is_told_as_well():
    content = tiff_saying({Tag.ORIENTATION: [6]}, size=(301, 203), order=">")
    assert inspected(content) == Inspected(Format.TIFF, 203, 301, 1, None)


@pytest.mark.parametrize("format", WITH_EXIF)
def test_the_time_it_was_taken_is_utc_unless_the_camera_says_otherwise(format: Format):
    naive = encode(corners(), format, exif=exif(taken="2024:07:01 12:00:00"))
    zoned = encode(corners(), format, exif=exif(taken="2024:07:01 12:00:00", offset="+02:00"))
    assert inspected(naive).taken_at == datetime(2024, 7, 1, 12, tzinfo=UTC)
    assert inspected(zoned).taken_at == datetime(2024, 7, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("taken", ["0000:00:00 00:00:00", "    :  :     :  :  ", "yesterday", "2024:13:01 00:00:00"])
def test_a_time_that_makes_no_sense_is_none_and_the_orientation_still_counts(taken: str):
    found = inspected(encode(corners(64, 48), Format.JPEG, exif=exif(6, taken)))
    assert (found.width, found.height, found.taken_at) == (48, 64, None)


@pytest.mark.parametrize("block", [b"", b"MM", b"II*\0\x08\0\0\0\xff\xff" + b"\1" * 50, b"rubbish " * 9])
def test_broken_exif_does_not_refuse_a_picture(block: bytes):
    assert inspected(encode(corners(), Format.JPEG, exif=b"Exif\0\0" + block)).width == 64


@pytest.mark.parametrize(
    "tags",
    [
        {Tag.EXIF: [0]},
        {Tag.EXIF: [8]},
        {Tag.EXIF: [2**32 - 1]},
        {Tag.EXIF: [1, 2]},
        {Tag.ORIENTATION: [6, 6]},
        {Tag.ORIENTATION: [2**32 - 1]},
    ],
    ids=str,
)
def test_broken_exif_does_not_refuse_a_tiff(tags: dict[int, list[int]]):
    assert inspected(tiff_saying(tags)) == Inspected(Format.TIFF, 8, 8, 1, None)


def test_exif_after_the_pixels_of_a_png_counts():
    block = exif(6).removeprefix(b"Exif\0\0")
    content = encode(corners(64, 48), Format.PNG)
    end = content.index(b"IEND") - 4
    found = inspected(content[:end] + png_chunk(b"eXIf", block) + content[end:])
    assert (found.width, found.height) == (48, 64)


@pytest.mark.parametrize("format", Format)
def test_nothing_is_decoded(format: Format, monkeypatch: pytest.MonkeyPatch):
    def load(image: ImageFile.ImageFile):
        raise AssertionError(f"decoded {image}")

    content = encode(corners(), format)
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert inspected(content).width == 64


@pytest.mark.parametrize("format", [Format.JPEG, Format.PNG])
def test_a_picture_cut_short_passes_as_only_decoding_can_tell(format: Format):
    content = encode(Image.effect_noise((200, 200), 90), format)
    assert inspected(content[: len(content) // 2]).width == 200


def test_an_empty_file_is_refused():
    assert isinstance(quickly_refused(b""), EmptyFile)


@pytest.mark.parametrize(
    "content", [b"hello", b"<svg/>", b"BM" + bytes(99), b"%PDF-1.7", b"II+\0" + bytes(99), bytes(1000)]
)
def test_what_is_no_accepted_format_is_refused_with_the_formats_that_are(content: bytes):
    refusal = quickly_refused(content)
    assert isinstance(refusal, UnsupportedFormat)
    assert refusal.status == 415
    assert "JPEG, PNG, WebP, GIF, AVIF, HEIC or TIFF" in str(refusal)


@pytest.mark.parametrize("format", Format)
def test_a_file_cut_short_anywhere_is_told_rightly_or_refused(format: Format):
    content = encode(corners(64, 48), format, **({"exif": exif(1)} if format in WITH_EXIF else {}))
    refused = 0
    for length in range(len(content)):
        try:
            found = inspected(content[:length])
        except UploadRefused:
            refused += 1
        else:
            assert (found.format, found.width, found.height) == (format, 64, 48)
    assert refused >= 10


@pytest.mark.parametrize("format", Format)
def test_a_damaged_header_never_ends_in_anything_but_a_refusal(format: Format):
    content = encode(corners(), format, **({"exif": exif(6)} if format in WITH_EXIF else {}))
    for position in range(4, min(len(content), 600)):
        for value in (0x00, 0x7F, 0xFF):
            damaged = content[:position] + bytes([value]) + content[position + 1 :]
            try:
                inspected(damaged)
            except UploadRefused as refusal:
                assert str(refusal)  # noqa: PT017 - most damage goes unnoticed, which is as good


@pytest.mark.parametrize(
    "content",
    [
        jpeg_claiming(60_000, 60_000),
        png_with(size=(60_000, 60_000)),
        (b"GIF89a" + struct.pack("<HH", 60_000, 60_000)).ljust(20, b"\0"),
        tiff_saying({}, size=(60_000, 60_000)),
    ],
    ids=["jpeg", "png", "gif", "tiff"],
)
def test_a_tiny_file_that_claims_a_huge_picture_is_refused(content: bytes):
    refusal = quickly_refused(content)
    assert isinstance(refusal, TooManyPixels)
    assert "60000 × 60000 pixels, 3,600 megapixels in all; we take at most 50 megapixels" in str(refusal)


def test_a_webp_that_claims_a_huge_canvas_is_refused():
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + (59_999).to_bytes(3, "little") * 2
    content = b"RIFF" + struct.pack("<I", len(canvas) + 4) + b"WEBP" + canvas
    assert isinstance(quickly_refused(content), TooManyPixels)


def test_a_gif_of_ten_thousand_frames_is_refused_by_its_pixels_or_their_number():
    assert "10,000 frames of 100 × 100 pixels, 100 megapixels" in str(quickly_refused(gif_of(10_000, (100, 100))))
    refusal = quickly_refused(gif_of(10_000))
    assert isinstance(refusal, TooManyFrames)
    assert "10,000 frames; we take at most 1,000" in str(refusal)
    assert inspected(gif_of(MAX_FRAMES)).frames == MAX_FRAMES


def test_a_png_with_a_huge_text_chunk_is_refused():
    content = png_with(png_chunk(b"tEXt", b"Comment\0" + bytes(50_000_000)))
    assert isinstance(quickly_refused(content), TooMuchMetadata)


def test_compressed_text_is_not_unpacked():
    content = png_with(png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000))))
    assert inspected(content).width == 8


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8\xff" + bytes(20_000_000),
        b"\xff\xd8" + b"\xff" * 20_000_000,
        b"\xff\xd8" + b"\xff\xe1\x00\x09Exif\0\0a" * 2_000_000,
        gif_of(1)[:-2] + b"\x01\x00" * 10_000_000,
        gif_of(1_500_000),
        png_with(png_chunk(b"teSt", b"") * 1_500_000),
    ],
    ids=["jpeg of zeros", "jpeg of padding", "jpeg of segments", "gif of blocks", "gif of frames", "png of chunks"],
)
def test_a_large_file_made_of_tiny_pieces_is_refused_before_it_takes_long(content: bytes):
    assert quickly_refused(content).status == 422


def test_a_picture_that_takes_more_work_than_its_size_lets_expect_is_refused():
    scans = quickly_refused(jpeg_of_scans(2000))
    assert isinstance(scans, TooCostly)
    assert "JPEG file is damaged, or takes far more work to decode" in str(scans)
    tiles = quickly_refused(tiff_saying({Tag.TILE_WIDTH: [60_000], Tag.TILE_HEIGHT: [60_000], Tag.TILE_OFFSETS: [8]}))
    assert isinstance(tiles, TooCostly)
    lie = avif_claiming((8, 8), encode(corners(64, 48), Format.AVIF))
    assert inspected(lie, max_pixels=64 * 48).width == 8
    with pytest.raises(TooCostly):
        inspected(lie, max_pixels=64 * 48 - 1)


def test_what_looks_like_scans_after_the_end_of_a_jpeg_does_not_matter():
    assert inspected(encode(corners(), Format.JPEG) + b"\xff\xda" * 10_000).width == 64


def test_pillow_is_quiet_in_every_thread_of_the_process():
    corrupt = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\1" * 50
    program = f"""
import warnings, webapp.uploads.inspect
from PIL import Image
warnings.warn_explicit("a trial that the other warnings count", UserWarning, "here", 1, "elsewhere")
Image.Exif().load({corrupt!r})
"""
    warned = subprocess.run([sys.executable, "-W", "always", "-c", program], capture_output=True, text=True, check=True)
    assert warned.stderr.count("Warning") == 1


def test_a_jpeg_that_we_cannot_decode_is_refused():
    twelve_bits = bytearray(jpeg_claiming(100, 100))
    twelve_bits[6] = 12
    assert isinstance(quickly_refused(bytes(twelve_bits)), UnreadableImage)
    assert isinstance(quickly_refused(jpeg_claiming(100, 0)), UnreadableImage)


@pytest.mark.parametrize(
    "content",
    [
        b"II*\0" + struct.pack("<L", 0),
        b"II*\0" + struct.pack("<L", 2**32 - 1),
        b"II*\0" + struct.pack("<LH", 8, 65_535) + bytes(65_535 * 12 + 4),
        tiff_saying({}, size=(0, 8)),
        tiff_saying({Tag.WIDTH: [8, 8]}),
        tiff_saying({Tag.WIDTH: []}),
        tiff_saying({}).replace(struct.pack("<H", Tag.HEIGHT), struct.pack("<H", Tag.WIDTH)),
        tiff_saying({}).replace(struct.pack("<HH", Tag.WIDTH, 4), struct.pack("<HH", Tag.WIDTH, 99)),
        tiff_saying({Tag.SUBFILE_TYPE: [1]}),
    ],
    ids=[
        "directory in the header", "directory beyond the end", "too many tags", "no width", "two widths", "empty width",
        "width said twice", "width of no type", "a raw file, which begins with a thumbnail",
    ],
)  # fmt: skip
def test_a_tiff_that_makes_no_sense_is_refused(content: bytes):
    assert isinstance(quickly_refused(content), UnreadableImage)


def test_frames_behind_stray_bytes_of_a_gif_are_counted_as_decoders_find_them():
    content = gif_of(3)
    frame = content[19 : (len(content) - 20) // 3 + 19]
    assert content == content[:19] + frame * 3 + b";"
    assert inspected(content[:19] + (b"\0" + frame) * 3 + b";").frames == 3
