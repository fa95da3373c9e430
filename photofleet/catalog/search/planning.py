"""How PostgreSQL is to plan a statement, and how long it may take, for the length of a transaction."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg.errors import QueryCanceled
from sqlalchemy import Select, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session


class TooSlowError(Exception):
    """A statement was broken off because it took too long; the message says so to people."""


def set_locally(session: Session, settings: Mapping[str, str]) -> None:
    """Change settings of PostgreSQL until the transaction ends."""
    session.execute(select(*(func.set_config(name, value, True) for name, value in settings.items())))


def estimated_rows(session: Session, statement: Select[Any]) -> int:
    """About how many rows a statement has, by the statistics that PostgreSQL keeps; it is not run."""
    connection = session.connection()
    compiled = statement.compile(connection)
    [plan] = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", compiled.params).scalar_one()
    return int(plan["Plan"]["Plan Rows"])


@contextmanager
def at_most(session: Session, milliseconds: int, message: str) -> Iterator[None]:
    """Break off each statement of the block that takes longer; the transaction can go on after it all the same.

    A block that is not broken off leaves the limit until the transaction ends.

    Raises:
        TooSlowError: a statement took longer; with this message.
    """
    try:
        with session.begin_nested():
            set_locally(session, {"statement_timeout": str(milliseconds)})
            yield
    except OperationalError as error:
        if isinstance(error.orig, QueryCanceled):
            raise TooSlowError(message) from error
        raise
