"""Saying in a sentence that AWS or the database does not answer, or not as it should."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from photofleet.clients import AWS_ERRORS


class Outage(Exception):  # noqa: N818 -- it names what is wrong out there; nothing is wrong with the call
    """AWS or the database does not answer; the message says which, and what it says instead."""


@contextmanager
def naming_outages() -> Iterator[None]:
    """Raise an Outage where AWS or the database raises its own error: a with block, or a decorator."""
    try:
        yield
    except AWS_ERRORS as error:
        raise Outage(f"AWS does not answer as it should: {_first_line(error)}") from error
    except SQLAlchemyError as error:
        # Its own message repeats the statement; what the database said is in the error behind it.
        said = _first_line(getattr(error, "orig", error))
        raise Outage(f"The database does not answer as it should: {said}") from error


def _first_line(error: object) -> str:
    return str(error).partition("\n")[0]
