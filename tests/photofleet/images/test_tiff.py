import struct
from io import BytesIO

import pytest

from photofleet.images.formats import Format
from photofleet.images.tiff import MAX_ENTRIES, Directory, Tag, first_directory
from tests.pictures import corners, encode, exif, tiff_saying


def directory_of(content: bytes) -> Directory:
    return first_directory(BytesIO(content))


@pytest.mark.parametrize("order", "<>")
def test_numbers_are_read_in_either_byte_order(order: str):
    picture = directory_of(tiff_saying({Tag.STRIP_OFFSETS: [8, 70_000]}, size=(301, 203), order=order))
    assert (picture.number(Tag.WIDTH, 0), picture.number(Tag.HEIGHT, 0)) == (301, 203)
    assert picture.numbers(Tag.STRIP_OFFSETS, most=2) == (8, 70_000)
    assert picture.count(Tag.STRIP_OFFSETS) == 2


def test_what_is_missing_is_the_default():
    picture = directory_of(tiff_saying({}))
    assert Tag.EXIF not in picture
    assert picture.number(Tag.ORIENTATION, 1) == 1
    assert picture.numbers(Tag.STRIP_OFFSETS, most=9) == ()
    assert picture.count(Tag.STRIP_OFFSETS) == 0
    assert picture.text(Tag.TAKEN) == ""


def test_a_directory_may_lead_to_another_with_text():
    content = encode(corners(), Format.TIFF, exif=exif(taken="2024:07:01 12:00:00"))
    assert directory_of(content).directory(Tag.EXIF).text(Tag.TAKEN) == "2024:07:01 12:00:00\0"


def test_more_numbers_than_are_wanted_are_not_read():
    with pytest.raises(ValueError, match="STRIP_OFFSETS has 3 values"):
        directory_of(tiff_saying({Tag.STRIP_OFFSETS: [1, 2, 3]})).numbers(Tag.STRIP_OFFSETS, most=2)


def test_values_beyond_the_end_of_the_file_are_an_error():
    picture = directory_of(tiff_saying({Tag.STRIP_OFFSETS: [1, 2, 3]})[:-1])
    with pytest.raises(ValueError, match="ends too early"):
        picture.numbers(Tag.STRIP_OFFSETS, most=3)


def test_a_number_is_no_text_and_a_text_is_no_number():
    picture = directory_of(tiff_saying({Tag.TAKEN: [8]}))
    with pytest.raises(ValueError, match="TAKEN"):
        picture.text(Tag.TAKEN)
    details = directory_of(encode(corners(), Format.TIFF, exif=exif(taken="2024"))).directory(Tag.EXIF)
    with pytest.raises(ValueError, match="TAKEN"):
        details.number(Tag.TAKEN, 0)


def test_a_directory_of_more_tags_than_any_picture_has_is_an_error():
    def having(count: int) -> bytes:
        return (
            b"II*\0" + struct.pack("<LH", 8, count) + b"".join(struct.pack("<H10x", 40_000 + n) for n in range(count))
        )

    assert Tag.WIDTH not in directory_of(having(MAX_ENTRIES))
    with pytest.raises(ValueError, match="4097 tags"):
        directory_of(having(MAX_ENTRIES + 1))
