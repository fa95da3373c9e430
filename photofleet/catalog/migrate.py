"""Bringing the database's schema and taxonomy up to this version."""

from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

from photofleet.catalog.taxonomy_tables import store_taxonomy

_LOCK = 5_073_684
"""The advisory lock under which one process at a time migrates; the number means nothing."""


def migrate(engine: Engine) -> None:
    """Run the migrations that are missing and store the taxonomy; safe to call from many machines at once."""
    with engine.connect() as connection:
        with connection.begin():
            connection.execute(text("SET statement_timeout = 0"))  # migrations take the time they need
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        try:
            with connection.begin():
                upgrade_schema(connection)
            with connection.begin():
                store_taxonomy(connection)
        finally:
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
            connection.invalidate()  # the next user of this connection is to have its time-out again


def upgrade_schema(connection: Connection) -> None:
    """Run the migrations that this database has not had yet."""
    with as_file(files("photofleet.catalog") / "migrations") as scripts:
        config = Config()
        config.set_main_option("script_location", str(scripts))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
