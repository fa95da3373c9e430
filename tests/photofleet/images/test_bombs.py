from io import BytesIO

import pytest
from PIL import Image

from photofleet.images.avif import coded_sizes
from photofleet.images.bombs import MAX_SCANS, ImageBomb, refuse_bomb
from photofleet.images.formats import Format
from tests.pictures import avif_claiming, corners, encode, jpeg_of_scans

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


def _grown(content: bytes, kind: bytes, by: int) -> bytes:
    start = content.index(kind) - 4
    return content[:start] + (int.from_bytes(content[start : start + 4]) + by).to_bytes(4) + content[start + 4 :]
