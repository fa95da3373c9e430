"""How Alembic runs our migrations: on the connection that photofleet.catalog.migrate gives it."""

from alembic import context

from photofleet.catalog.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_server_default=True,
    transaction_per_migration=True,  # what one has locked is free again before the next begins
)
with context.begin_transaction():
    context.run_migrations()
