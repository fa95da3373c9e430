"""Which picture of a photo is labelled, against the real S3 and the real database."""

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy.orm import Session

from photofleet import storage
from photofleet.catalog.models import Photo
from photofleet.catalog.results import StoredRendition, record_renditions
from photofleet.images.formats import Format
from tests.pictures import corners, encode, exif, noise
from tests.workers.conftest import Upload
from workers.image import BadImage
from workers.label.efficientnet_lite import PREPROCESSING
from workers.label.engine import Batch

GREEN, BLUE = (0, 255, 0), (0, 0, 255)
SIZE = PREPROCESSING.size

Look = Callable[[Photo], Batch]


@pytest.fixture
def look(service: None) -> Look:
    """A function that returns what the network is to see of a photo."""
    from workers.label.pictures import picture_of

    return lambda photo: picture_of(photo, PREPROCESSING)


@pytest.fixture
def render(session: Session) -> Callable[..., None]:
    """A function that gives a photo renditions, of which each has a colour of its own."""

    def give(photo: Photo, *renditions: tuple[str, int, int, tuple[int, int, int]], mode: str = "fit") -> None:
        stored = []
        for name, width, height, colour in renditions:
            data = encode(plain(width, height, colour), Format.JPEG)
            key = storage.rendition_key(photo.id, name, "abc", "jpg")
            storage.put_rendition(key, data, "image/jpeg")
            stored.append(StoredRendition(name, "jpeg", width, height, len(data), key, mode))
        record_renditions(session, photo.id, stored, preview=None, colour="#000000", revision="abc")
        session.commit()

    return give


def plain(width: int, height: int, colour: tuple[int, int, int]):  # type: ignore[no-untyped-def]
    from PIL import Image

    return Image.new("RGB", (width, height), colour)


def colour_of(batch: Batch) -> tuple[int, ...]:
    return tuple(int(value) for value in np.median(batch, axis=(0, 1, 2)))


def is_near(colour: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return bool(np.abs(np.subtract(colour, other)).max() < 8)


def test_the_smallest_rendition_is_labelled_that_is_sharp_enough_for_the_network(
    upload: Upload, look: Look, render: Callable[..., None]
) -> None:
    photo = upload(encode(plain(1600, 1200, (255, 0, 0)), Format.JPEG))
    render(photo, ("w640", 640, 480, (9, 9, 9)), ("w1280", 1280, 960, GREEN), ("w2048", 2048, 1536, BLUE))
    storage.delete_original(photo.id)

    batch = look(photo)

    assert batch.shape == (1, SIZE, SIZE, 3)
    assert is_near(colour_of(batch), GREEN)


def test_a_rendition_that_does_not_show_the_whole_photo_is_not_labelled(
    upload: Upload, look: Look, render: Callable[..., None]
) -> None:
    photo = upload(encode(plain(1600, 1200, (255, 0, 0)), Format.JPEG))
    render(photo, ("square", 960, 960, GREEN), mode="cover")

    assert is_near(colour_of(look(photo)), (255, 0, 0))


def test_a_rendition_that_has_gone_meanwhile_is_not_missed(
    upload: Upload, look: Look, render: Callable[..., None]
) -> None:
    photo = upload(encode(plain(1600, 1200, (255, 0, 0)), Format.JPEG))
    render(photo, ("w1280", 1280, 960, GREEN))
    storage.delete_renditions(photo.id)

    assert is_near(colour_of(look(photo)), (255, 0, 0))


def test_a_damaged_rendition_is_not_the_fault_of_the_photo(
    upload: Upload, look: Look, render: Callable[..., None]
) -> None:
    photo = upload(encode(plain(1600, 1200, (255, 0, 0)), Format.JPEG))
    render(photo, ("w1280", 1280, 960, GREEN))
    storage.put_rendition(storage.rendition_key(photo.id, "w1280", "abc", "jpg"), b"\xff\xd8\xff", "image/jpeg")

    assert is_near(colour_of(look(photo)), (255, 0, 0))


@pytest.mark.parametrize(
    ("format", "content"),
    [
        (Format.JPEG, encode(noise(1600, 1200, seed="jpeg"), Format.JPEG)),
        (Format.JPEG, encode(corners(900, 600), Format.JPEG, exif=exif(6))),
        (Format.PNG, encode(corners(500, 400).convert("RGBA"), Format.PNG)),
        (Format.WEBP, encode(noise(500, 400, seed="webp"), Format.WEBP)),
        (Format.JPEG, encode(corners(40, 30), Format.JPEG)),
    ],
)
def test_in_the_sandbox_an_original_looks_as_it_does_outside(
    upload: Upload, look: Look, format: Format, content: bytes
) -> None:

    from workers.label.squares import read_squares

    photo = upload(content, format)

    expected = read_squares(content, format, PREPROCESSING, max_pixels=10**7)
    assert np.array_equal(look(photo), expected)


def test_of_a_wide_photo_more_than_the_middle_is_looked_at(upload: Upload, look: Look) -> None:
    batch = look(upload(encode(corners(1800, 600), Format.JPEG)))

    assert len(batch) > 1
    assert not np.array_equal(batch[0], batch[-1])


def test_a_bad_original_is_said_to_be_bad(upload: Upload, look: Look) -> None:
    photo = upload(encode(corners(800, 600), Format.JPEG)[:2000])

    with pytest.raises(BadImage, match="damaged or incomplete"):
        look(photo)
