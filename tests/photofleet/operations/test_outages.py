"""Waiting for the end of an outage, and of nothing else."""

import pytest
from botocore.exceptions import EndpointConnectionError
from sqlalchemy.exc import OperationalError, ProgrammingError

from photofleet.operations import outages
from photofleet.operations.outages import Outage, wait_out


class Service:
    """Answers what it is told to answer, one after the other, and then that all is well."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.said: list[str] = []

    def ask(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "all is well"

    def wait(self, *, is_stopped: bool = False) -> str:
        return wait_out(self.ask, say=self.said.append, is_stopped=lambda: is_stopped)


def away() -> OperationalError:
    return OperationalError("SELECT 1", {}, Exception("connection refused"))


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "PAUSE_S", 0)


def test_what_is_waited_for_is_said_once_for_each_thing_that_it_is() -> None:
    service = Service(away(), away(), Outage("AWS is busy."), EndpointConnectionError(endpoint_url="sqs"), away())

    assert service.wait() == "all is well"

    database = "Waiting for the end of this: The database does not answer as it should: connection refused"
    assert service.said == [
        database,
        "Waiting for the end of this: AWS is busy.",
        'Waiting for the end of this: AWS does not answer as it should: Could not connect to the endpoint URL: "sqs"',
        database,
    ]


def test_what_the_database_refuses_is_not_waited_for() -> None:
    service = Service(ProgrammingError("DELETE", {}, Exception("permission denied")))

    with pytest.raises(Outage, match="permission denied"):
        service.wait()
    assert service.said == []


def test_whoever_stops_it_hears_why_it_waited() -> None:
    with pytest.raises(Outage, match="connection refused"):
        Service(away()).wait(is_stopped=True)
