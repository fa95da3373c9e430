import pytest

from photofleet.images.formats import SNIFF_BYTES, Format, sniff
from tests.pictures import animation, corners, encode


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = major + bytes(4) + b"".join(compatible)
    return (len(brands) + 8).to_bytes(4) + b"ftyp" + brands + b"\0\0\0\x10meta"


@pytest.mark.parametrize("format", Format)
def test_a_file_is_recognised_by_its_first_bytes(format: Format):
    assert sniff(encode(corners(), format)[:SNIFF_BYTES]) is format


def test_a_tiff_may_be_in_either_byte_order():
    assert sniff(b"II*\0" + bytes(60)) is sniff(b"MM\0*" + bytes(60)) is Format.TIFF


def test_an_avif_sequence_is_an_avif():
    assert sniff(animation(Format.AVIF, corners(), corners())[:SNIFF_BYTES]) is Format.AVIF


@pytest.mark.parametrize(
    ("header", "format"),
    [
        (ftyp(b"avis", b"avif", b"msf1"), Format.AVIF),
        (ftyp(b"mif1", b"mif1", b"avif", b"miaf"), Format.AVIF),
        (ftyp(b"mif1", b"mif1", b"heic"), Format.HEIC),
        (ftyp(b"msf1", b"hevc"), Format.HEIC),
        (ftyp(b"heix", b"mif1", b"heic"), Format.HEIC),
        (ftyp(b"mif1", b"mif1", b"jpeg"), None),
        (ftyp(b"isom", b"avc1", b"mp41"), None),
        (ftyp(b"qt  "), None),
    ],
)
def test_brands_tell_avif_from_heic_and_from_video(header: bytes, format: Format | None):
    assert sniff(header) is format


def test_brands_are_looked_for_in_the_file_type_box_only():
    assert sniff(ftyp(b"mif1", b"mif1") + b"avif") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"BM" + bytes(60),
        b"%PDF-1.7",
        b"II+\0" + bytes(60),
        b"\0\0\1\0" + bytes(60),
        b"RIFF\0\0\0\0WAVE",
        b"\0\0\0\x08ftyp",
    ],
)
def test_anything_else_is_no_format_of_ours(content: bytes):
    assert sniff(content) is None


def test_a_format_is_found_again_by_its_stored_name():
    assert [Format(format.value) for format in Format] == list(Format)
