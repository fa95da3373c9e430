from io import BytesIO

import pytest
from PIL import Image

from photofleet.images.avif import coded_sizes
from photofleet.images.bombs import MAX_PIECES, MAX_SAMPLES, MAX_SCANS, ImageBomb, refuse_bomb
from photofleet.images.formats import Format
from photofleet.images.tiff import Tag
from tests.pictures import avif_claiming, corners, encode, jpeg_of_scans, tiff_saying

LIMIT = 64 * 48


def check(content: bytes, format: Format, max_pixels: int = LIMIT):
    refuse_bomb(BytesIO(content), format, max_pixels)


@pytest.mark.parametrize("format", Format)
def test_an_ordinary_picture_of_exactly_the_limit_passes(format: Format):
    check(encode(corners(64, 48), format), format)


def test_a_progressive_and_a_transparent_picture_pass():
    check(encode(corners(64, 48), Format.JPEG, progressive=True), Format.JPEG)
    check(encode(Image.new("RGBA", (64, 48), (1, 2, 3, 4)), Format.AVIF), Format.AVIF)


def test_a_jpeg_of_more_scans_than_the_limit_is_a_bomb():
    check(jpeg_of_scans(MAX_SCANS), Format.JPEG)
    with pytest.raises(ImageBomb, match=r"JPEG file .* takes far more work to decode"):
        check(jpeg_of_scans(MAX_SCANS + 1), Format.JPEG)


def test_an_avif_that_codes_more_pixels_than_it_claims_is_a_bomb():
    content = avif_claiming((8, 8), encode(corners(64, 48), Format.AVIF))
    check(content, Format.AVIF)
    with pytest.raises(ImageBomb, match="AVIF file"):
        check(content, Format.AVIF, LIMIT - 1)


def test_an_avif_of_many_pictures_each_within_the_limit_is_a_bomb():
    content = encode(corners(64, 48), Format.AVIF)
    index = content.index(b"iloc") + 10
    count, entry = content[index : index + 2], content[index + 2 : index + 16]
    assert count == b"\0\1"
    moved = entry[:6] + (int.from_bytes(entry[6:10]) + 4 * len(entry)).to_bytes(4) + entry[10:]
    five = content[:index] + b"\0\5" + moved * 5 + content[index + 16 :]
    for kind in (b"meta", b"iloc"):
        five = _grown(five, kind, 4 * len(entry))
    assert len(coded_sizes(five)) == 5
    with pytest.raises(ImageBomb):
        check(five, Format.AVIF)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_tiff_of_any_kind_that_photos_come_in_passes(mode: str, compression: str):
    check(encode(corners(64, 48).convert(mode), Format.TIFF, compression=compression), Format.TIFF)


def test_a_scanned_page_and_a_transparent_tiff_pass():
    check(encode(corners(64, 48).convert("1"), Format.TIFF, compression="group4"), Format.TIFF)
    check(encode(corners(64, 48).convert("RGBA"), Format.TIFF), Format.TIFF)


def test_a_tiff_of_tiles_passes_and_one_whose_tiles_are_far_larger_than_it_is_a_bomb():
    def tiled(side: int) -> bytes:
        sizes = {Tag.TILE_WIDTH: [side], Tag.TILE_HEIGHT: [side], Tag.SAMPLES_PER_PIXEL: [3]}
        return tiff_saying({**sizes, Tag.TILE_OFFSETS: [8], Tag.TILE_BYTE_COUNTS: [8]}, size=(64, 48))

    check(tiled(64), Format.TIFF)
    with pytest.raises(ImageBomb, match="TIFF file"):
        check(tiled(10_000), Format.TIFF)


def test_a_tiff_that_has_its_strips_decoded_over_and_over_is_a_bomb():
    most = MAX_SAMPLES * 2
    strips = {Tag.ROWS_PER_STRIP: [24]}
    check(tiff_saying({**strips, Tag.STRIP_OFFSETS: [8] * most}, size=(64, 48)), Format.TIFF)
    with pytest.raises(ImageBomb):
        check(tiff_saying({**strips, Tag.STRIP_OFFSETS: [8] * (most + 1)}, size=(64, 48)), Format.TIFF)


def test_a_tiff_of_more_pieces_than_any_picture_has_is_a_bomb():
    with pytest.raises(ImageBomb):
        check(tiff_saying({Tag.STRIP_OFFSETS: [8] * (MAX_PIECES + 1), Tag.ROWS_PER_STRIP: [0]}), Format.TIFF)


def test_a_tiff_whose_pieces_all_claim_the_whole_file_is_a_bomb():
    def sharing(claimed: int) -> bytes:
        return tiff_saying({Tag.STRIP_OFFSETS: [8] * 100, Tag.STRIP_BYTE_COUNTS: [claimed] * 100})

    check(sharing(10), Format.TIFF, 10**6)
    with pytest.raises(ImageBomb):
        check(sharing(len(sharing(0))), Format.TIFF, 10**6)


def test_a_tiff_that_is_both_in_strips_and_in_tiles_is_as_costly_as_the_worse():
    strips = {Tag.STRIP_OFFSETS: [8] * 1000}
    tiles = {Tag.TILE_WIDTH: [8], Tag.TILE_HEIGHT: [8], Tag.TILE_OFFSETS: [8]}
    check(tiff_saying(tiles), Format.TIFF)
    with pytest.raises(ImageBomb):
        check(tiff_saying(strips | tiles, size=(64, 48)), Format.TIFF)


def _grown(content: bytes, kind: bytes, by: int) -> bytes:
    start = content.index(kind) - 4
    return content[:start] + (int.from_bytes(content[start : start + 4]) + by).to_bytes(4) + content[start + 4 :]
