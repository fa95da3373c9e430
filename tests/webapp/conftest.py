"""The web application, in this process, on the real services."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from tests.photofleet.broker.queues import Queues
from tests.webapp.multipart import END, MULTIPART, part
from webapp.application import create_app

Upload = Callable[..., TestResponse]


@pytest.fixture
def client(catalog: Engine, queues: Queues) -> FlaskClient:
    """A client of the application, with no photo in the catalog and no message in a queue."""
    app = create_app()
    app.testing = False  # errors are answered, as in production
    return app.test_client()


@pytest.fixture
def upload(client: FlaskClient) -> Upload:
    """A function that uploads one file through the API."""

    def post(data: bytes, filename: str = "photo.jpg") -> TestResponse:
        return client.post("/api/v1/photos", data=part(data, filename) + END, content_type=MULTIPART)

    return post
