"""Bringing the database's schema, taxonomy and users up to this version."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from time import sleep

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from photofleet.catalog.merges import move_merged
from photofleet.catalog.roles import grant_rights
from photofleet.catalog.taxonomy_tables import store_taxonomy

_LOCK = 5_073_684
"""The advisory lock under which one process at a time migrates; the number means nothing."""

_TAXONOMY = "0004"
"""The migration from which on the taxonomy's tables are as this version knows them: later ones go by the taxonomy."""

_TABLES = "0005"
"""The migration from which on all tables are there of which users have rights."""

_ATTEMPTS = 60
_PAUSE_S = 1


def migrate(engine: Engine, *, with_roles: bool = False) -> None:
    """Run the migrations that are missing and store the taxonomy; safe to call from many machines at once.

    A database that a newer version has migrated is left as it is.

    Args:
        engine: Connections of the tables' owner.
        with_roles: Whether the tiers sign in as users of their own, which are made here, too.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _migrate(engine, with_roles=with_roles)
            break
        except OperationalError as error:
            # Nothing is half done: each transaction that was in the way of the service, or it of us, begins again.
            if attempt == _ATTEMPTS or not isinstance(error.orig, LockNotAvailable | DeadlockDetected):
                raise
            sleep(_PAUSE_S)


def _migrate(engine: Engine, *, with_roles: bool) -> None:
    with engine.connect() as connection:
        with connection.begin():
            connection.execute(text("SET statement_timeout = 0"))  # migrations take the time they need
        try:
            _wait_for_lock(connection)
            with connection.begin():
                is_newer = _is_newer(connection)
            # A version from before the database's may boot, as in a roll-back: it finds all that it needs.
            if not is_newer:
                # The schema is current only after the last migration: by then, it has its taxonomy and users, too.
                upgrade_schema(connection, _TAXONOMY)
                connection.commit()  # Alembic's look at the version, where nothing was missing
                with connection.begin():
                    connection.execute(text("SET LOCAL lock_timeout = '3s'"))
                    store_taxonomy(connection)
                upgrade_schema(connection, _TABLES)
                connection.commit()
                if with_roles:
                    with connection.begin():
                        connection.execute(text("SET LOCAL lock_timeout = '3s'"))
                        grant_rights(connection)
                upgrade_schema(connection)
                move_merged(engine)
        finally:
            connection.rollback()
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_unlock_all()"))
            connection.invalidate()  # the next user of this connection is to have its time-out again


def _wait_for_lock(connection: Connection) -> None:
    """Ask again and again: who waits in a transaction keeps an index from being made beside running ones."""
    while True:
        with connection.begin():
            if connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}).scalar_one():
                return
        sleep(_PAUSE_S)


def upgrade_schema(connection: Connection, to: str = "head") -> None:
    """Run the migrations, up to one of them, that this database has not had yet."""
    with _config() as config:
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def is_current(engine: Engine) -> bool:
    """Whether the schema has all that this version expects; one that a newer version migrated has it, too."""
    with engine.connect() as connection, _config() as config:
        revision = MigrationContext.configure(connection).get_current_revision()
        return revision == ScriptDirectory.from_config(config).get_current_head() or _is_newer(connection)


def _is_newer(connection: Connection) -> bool:
    """Whether a version has migrated this database that has migrations which this one does not know."""
    revision = MigrationContext.configure(connection).get_current_revision()
    with _config() as config:
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    return revision is not None and revision not in known


@contextmanager
def _config() -> Iterator[Config]:
    with as_file(files("photofleet.catalog") / "migrations") as scripts:
        config = Config()
        config.set_main_option("script_location", str(scripts))
        yield config
