"""Whatever is done to a file, it is bad or gets the renditions that it should; nothing else may come of it."""

import tempfile
import warnings
from collections.abc import Iterator
from io import BytesIO

import pytest
from hypothesis import event, given, reject
from PIL import Image

from photofleet.images.formats import SNIFF_BYTES, Format, sniff
from photofleet.images.renditions import Mode, RenditionSpec, parse_renditions
from tests.fuzz.files import MADE, content
from tests.fuzz.mutations import Mutation, mutations
from workers.image import BadImage
from workers.resize.plan import fitted, plan
from workers.resize.results import Placeholder, Rendition
from workers.resize.sandbox import render

MAX_PIXELS = 50_000_000
SPECS = parse_renditions("w40 40, w100 100 avif, square 50x50 cover, w300 300, moving 60 animation")

Size = tuple[int, int]


@given(mutation=mutations())
def test_a_mutated_file_is_bad_or_gets_the_renditions_that_it_should(mutation: Mutation) -> None:
    data = bytes(mutation)
    format = sniff(data[:SNIFF_BYTES]) or sniff(content(mutation.name)[:SNIFF_BYTES])
    if format is None:  # nobody could have uploaded it
        reject()
    made = rendered(data, format)
    if isinstance(made, BadImage):
        event(f"{format}: {made.__cause__!r:.40}")
        assert str(made).endswith(".")
    else:
        event(f"{format}: good")
        assert made in list(expected(data, format))


@pytest.mark.parametrize("name", MADE)
def test_a_file_that_nothing_is_done_to_is_good(name: str) -> None:
    data = content(name)
    format = sniff(data[:SNIFF_BYTES])
    assert format
    assert rendered(data, format) in list(expected(data, format))


def rendered(data: bytes, format: Format) -> dict[RenditionSpec, Size] | BadImage:
    """The sizes of what the sandbox makes of a file, but for an animation; or what is wrong with the file."""
    with tempfile.TemporaryFile() as original:
        original.write(data)
        try:
            results = list(render(original, format, SPECS, max_pixels=MAX_PIXELS))
        except BadImage as bad:
            return bad
    renditions = [result for result in results if isinstance(result, Rendition)]
    assert [type(result) for result in results].count(Placeholder) == 1
    for rendition in renditions:
        with Image.open(BytesIO(rendition.data), formats=[rendition.spec.format.pillow_name]) as picture:
            assert picture.size == (rendition.width, rendition.height)
    sizes = {rendition.spec: (rendition.width, rendition.height) for rendition in renditions}
    moving = [sizes.pop(spec) for spec in SPECS if spec.mode is Mode.ANIMATION and spec in sizes]
    # Its frames are as they are stored: those of none of the formats that move are turned.
    assert moving in ([], [fitted(declared_size(data, format), 60, None)])
    return sizes


def expected(data: bytes, format: Format) -> Iterator[dict[RenditionSpec, Size]]:
    """The sizes that a file should get by what it says of its own: upright, or turned if it has any EXIF."""
    size = declared_size(data, format)
    for upright in {size, size[::-1]} if b"Exif" in data or b"eXIf" in data or b"EXIF" in data else {size}:
        yield {spec: step.crop[2:] for step in plan(upright, SPECS) for spec in step.specs}


def declared_size(data: bytes, format: Format) -> Size:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow warns of is metadata, which the renditions do without
        with Image.open(BytesIO(data), formats=[format.pillow_name]) as picture:
            return picture.size
