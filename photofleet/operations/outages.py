"""Saying in a sentence that AWS or the database does not answer, or not as it should."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import exc
from sqlalchemy.exc import SQLAlchemyError

from photofleet.clients import AWS_ERRORS

T = TypeVar("T")

PAUSE_S = 10.0
"""After so long, who waits for the end of an outage tries again."""


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


def wait_out(work: Callable[[], T], *, say: Callable[[str], None], is_stopped: Callable[[], bool]) -> T:
    """Do some work, again and again until AWS and the database let it be done.

    Args:
        work: What is done; what it has begun when it fails must not matter.
        say: Tells people a sentence: what is waited for, each time that it is something else.
        is_stopped: Whether to wait no longer.

    Returns:
        What the work returns.

    Raises:
        Outage: the wait was stopped, or the database refuses the work, and will do so as often as it is asked.
    """
    said = ""
    while True:
        try:
            with naming_outages():
                return work()
        except Outage as outage:
            if is_stopped() or not _passes(outage):
                raise
            if said != str(outage):
                said = str(outage)
                say(f"Waiting for the end of this: {said}")
        until = time.monotonic() + PAUSE_S
        while not is_stopped() and time.monotonic() < until:
            time.sleep(min(PAUSE_S, 1))


def _passes(outage: Outage) -> bool:
    """Whether it is of a kind that ends by itself: the database's other errors mean that it has understood us."""
    error = outage.__cause__
    return not isinstance(error, SQLAlchemyError) or isinstance(
        error, (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
    )


def _first_line(error: object) -> str:
    return str(error).partition("\n")[0]
