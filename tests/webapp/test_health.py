import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine

from photofleet.catalog import database


def test_an_instance_that_can_serve_says_so(client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_an_instance_without_a_database_lives_but_is_not_ready(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    monkeypatch.setattr(database, "get_engine", lambda: nowhere)

    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
