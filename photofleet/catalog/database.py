"""Sessions on the catalog's database."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import Session

from photofleet.settings import get_settings

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 15
"""For the pages' and tasks' queries; one that takes longer would hold a connection that others wait for."""

OPTIONS = f"-c timezone=utc -c statement_timeout={STATEMENT_TIMEOUT_S}s"


@cache
def get_engine() -> Engine:
    """This process's pool of connections; made at the first call, which must come after any fork.

    A connection is tried before it is lent, so that a restarted database costs no request.
    """
    url = make_url(get_settings().database_url.get_secret_value()).set(drivername="postgresql+psycopg")
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=24,  # together as many as a web process has threads
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "options": OPTIONS,
        },
    )


@contextmanager
def transaction() -> Iterator[Session]:
    """A session that commits when the block ends and rolls back when it raises; its rows stay readable after."""
    with Session(get_engine(), expire_on_commit=False) as session, session.begin():
        yield session


def ping() -> None:
    """Ask the database for an answer.

    Raises:
        sqlalchemy.exc.OperationalError: if there is none.
    """
    with get_engine().connect() as connection:
        connection.execute(text("SELECT 1"))
