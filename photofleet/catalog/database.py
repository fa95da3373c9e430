"""Sessions on the catalog's database."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.orm import Session

from photofleet.catalog.sign_in import SecretSignIn, sign_in_with_token
from photofleet.settings import get_settings

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 15
"""For the pages' and tasks' queries; one that takes longer would hold a connection that others wait for."""

OPTIONS = f"-c timezone=utc -c statement_timeout={STATEMENT_TIMEOUT_S}s -c jit=off"
"""Compiling takes longer than any of these queries."""


@cache
def get_engine() -> Engine:
    """This process's pool of connections; made at the first call, which must come after any fork.

    A connection is tried before it is lent, so that a restarted database costs no request.
    """
    url = make_url(get_settings().database_url.get_secret_value())
    return _create_engine(None if url.username else get_settings().database_secret)


@cache
def get_owner_engine() -> Engine:
    """The same for who owns the tables: the user of the secret, where there is one."""
    return _create_engine(get_settings().database_secret)


def _create_engine(secret: str | None) -> Engine:
    settings = get_settings()
    engine = create_engine(
        make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=24,  # together as many as a process has threads that serve pages; uploads use theirs for moments
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "options": OPTIONS,
            "gssencmode": "disable",  # to which Kerberos, where there is any, would be as good as the TLS of sslmode
            "sslcertmode": "disable",  # which would be looked for in the home folder, where not everyone may look
        },
    )
    if secret:
        event.listen(engine, "do_connect", SecretSignIn(secret))
    elif settings.database_iam:
        event.listen(engine, "do_connect", sign_in_with_token)
    return engine


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
