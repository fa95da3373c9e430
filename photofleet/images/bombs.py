"""Pictures that cost far more to decode than their size in pixels lets expect, told before anything is decoded."""

from typing import IO

from photofleet.images.avif import coded_sizes
from photofleet.images.formats import Format
from photofleet.images.jpeg import START_OF_SCAN, segments

MAX_SCANS = 100
"""Of a JPEG. An ordinary progressive one has 10 (libjpeg's `jpeg_simple_progression`). Each costs a pass over the whole
picture, at 50 megapixels up to 0.1 s, however few bytes it has: see LJT-01-003 in
https://libjpeg-turbo.org/pmwiki/uploads/About/TwoIssueswiththeJPEGStandard.pdf. The limit that TurboJPEG offers
(TJFLAG_LIMITSCANS) is 500, for smaller pictures or more patience than ours."""

MAX_CODED_PICTURES = 4
"""How many times the pixel limit all frames in an AVIF may reach together: a picture, its transparency, layers."""


class ImageBomb(ValueError):  # noqa: N818 - named for what the file is
    """A file that is damaged or made so that it costs too much to decode. Its message is for who uploaded it."""


def refuse_bomb(file: IO[bytes], format: Format, max_pixels: int) -> None:
    """Check that decoding the first picture of a file costs no more than its size lets expect.

    Of the other formats than JPEG and AVIF, the decoders themselves check what they decode against its stated size.
    An AVIF is read into memory whole, as its decoder does too. `file` must be seekable; its position is undefined
    afterwards.

    Raises:
        ImageBomb: decoding would cost too much, or what it costs cannot be told.
    """
    try:
        match format:
            case Format.JPEG:
                acceptable = _is_cheap_jpeg(file)
            case Format.AVIF:
                acceptable = _is_cheap_avif(file, max_pixels)
            case _:
                acceptable = True
    except ValueError:
        acceptable = False
    if not acceptable:
        raise ImageBomb(
            f"The {format.display_name} file is damaged, or takes far more work to decode than other pictures of its "
            "size. Export the picture again and upload the new file."
        )


def _is_cheap_jpeg(file: IO[bytes]) -> bool:
    scans = 0
    for segment in segments(file):
        scans += segment.marker == START_OF_SCAN
        if scans > MAX_SCANS:
            return False
    return True


def _is_cheap_avif(file: IO[bytes], max_pixels: int) -> bool:
    file.seek(0)
    pixels = [width * height for width, height in coded_sizes(file.read())]
    return max(pixels, default=0) <= max_pixels and sum(pixels) <= MAX_CODED_PICTURES * max_pixels
