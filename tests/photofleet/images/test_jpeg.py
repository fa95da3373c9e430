from io import BytesIO

import pytest

from photofleet.images.formats import Format
from photofleet.images.jpeg import MAX_SEGMENTS, START_OF_SCAN, segments
from tests.pictures import corners, encode, exif, jpeg_of_scans, noise


def markers(content: bytes) -> list[int]:
    return [segment.marker for segment in segments(BytesIO(content))]


def test_a_segment_says_where_its_content_stands():
    content = encode(corners(), Format.JPEG, exif=exif(6))
    exif_segment = next(segment for segment in segments(BytesIO(content)) if segment.marker == 0xE1)
    assert content[exif_segment.start :][: exif_segment.length] == exif(6)


@pytest.mark.parametrize(("progressive", "scans"), [(False, 1), (True, 10)])
@pytest.mark.parametrize("size", [(8, 8), (900, 900)])
def test_every_scan_is_found_in_files_of_any_length(progressive: bool, scans: int, size: tuple[int, int]):
    content = encode(noise(*size, "scans"), Format.JPEG, progressive=progressive, quality=98, restart_marker_rows=1)
    assert markers(content).count(START_OF_SCAN) == scans


def test_what_looks_like_a_scan_within_metadata_or_after_the_picture_is_none():
    thumbnail = encode(corners(), Format.JPEG)
    motion = b"\xff\xda\0\x08" * 1000
    content = encode(corners(), Format.JPEG, exif=exif() + thumbnail, comment=b"\xff\xda\0\x02") + thumbnail + motion
    assert markers(content).count(START_OF_SCAN) == 1


def test_markers_are_found_wherever_a_chunk_of_the_file_ends():
    content = encode(corners(), Format.JPEG)
    expected = markers(content)
    for padding in range((1 << 20) - 30, (1 << 20) + 2):
        assert markers(content[:2] + bytes(padding) + content[2:]) == expected


@pytest.mark.parametrize("between", [b"\xff" * 9, b"\0stray", b"\xff\0", b"\xff\xd3", b"\xff\x01", b"\xff\x02"])
def test_scans_after_padding_and_stray_bytes_are_found_as_a_decoder_finds_them(between: bytes):
    content = jpeg_of_scans(12).replace(b"\xff\xda", between + b"\xff\xda")
    assert markers(content).count(START_OF_SCAN) == 12


def test_a_file_cut_short_anywhere_yields_the_segments_so_far():
    content = encode(corners(), Format.JPEG, progressive=True)
    all_of_them = markers(content)
    for length in range(len(content)):
        found = markers(content[:length])
        assert found == all_of_them[: len(found)]


def test_a_file_of_nothing_but_segments_is_given_up():
    with pytest.raises(ValueError, match="segments"):
        markers(b"\xff\xd8" + b"\xff\xe1\0\x02" * (MAX_SEGMENTS + 1))
