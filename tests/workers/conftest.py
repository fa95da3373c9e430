"""Photos that wait for a worker."""

from collections.abc import Callable
from hashlib import sha256
from io import BytesIO

import boto3
import pytest
from sqlalchemy.orm import Session

from photofleet import storage
from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.models import Photo
from photofleet.images.formats import Format
from photofleet.settings import get_settings
from tests.photofleet.catalog.factories import create_photo

Upload = Callable[..., Photo]


@pytest.fixture
def upload(session: Session) -> Upload:
    """A function that stores a file as an uploaded photo: its original in S3, its row in the catalog."""

    def store(data: bytes, format: Format = Format.JPEG) -> Photo:
        photo_id = uuid7()
        digest = sha256(data).digest()
        storage.put_original(photo_id, BytesIO(data), format.content_type, digest)
        photo = create_photo(session, id=photo_id, format=format.value, size=len(data), sha256=digest)
        session.commit()
        return photo

    return store


@pytest.fixture
def stored_renditions(service: None) -> Callable[[Photo], dict[str, dict[str, str]]]:
    """A function that returns what is in the renditions bucket of a photo: the headers of each object by its key."""
    s3, bucket = boto3.client("s3"), get_settings().renditions_bucket

    def look(photo: Photo) -> dict[str, dict[str, str]]:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"renditions/{photo.id}/")
        keys = [item["Key"] for item in listed.get("Contents", [])]
        return {key: s3.head_object(Bucket=bucket, Key=key) for key in keys}

    return look


Task = Callable[[str, str], None]


@pytest.fixture
def resize(service: None) -> Task:
    """The resize fleet's task. It can be imported only where there are settings."""
    from workers.resize.tasks import photo_uploaded

    return photo_uploaded


@pytest.fixture
def label(service: None) -> Task:
    """The label fleet's task."""
    from workers.label.tasks import photo_uploaded

    return photo_uploaded


@pytest.fixture(params=["resize", "label"])
def stage(request: pytest.FixtureRequest) -> str:
    """Each stage in turn."""
    name: str = request.param
    return name


@pytest.fixture
def task(stage: str, request: pytest.FixtureRequest) -> Task:
    """The task of the fleet for `stage`."""
    found: Task = request.getfixturevalue(stage)
    return found
