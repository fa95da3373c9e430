"""The database's users: one for each tier, with the rights that its statements need and no others.

The web tier's instances may also read the owner's secret, as they migrate: its rights guard against mistakes and
injected SQL, not against whoever runs programs there. Rights that change need a migration, or a version that is rolled
back to would take away what the newer one has given.

They have no passwords. RDS lets in whoever has a token of the IAM role that belongs to the tier.
"""

from sqlalchemy import Connection, text

WEB = "photofleet_web"
WORKER = "photofleet_worker"
"""The users, as cloudformation/database.yaml names them, too."""

_ANNOUNCE = "UPDATE (announced_at, announcements)"
_PROCEED = "UPDATE (state, attempts, error, last_error, updated_at)"
_RECORD = "UPDATE (announced_at, announcements, preview, colour, renditions_revision, labels_source)"

RIGHTS = {
    WEB: {
        "alembic_version": "SELECT",
        "photos": f"SELECT, INSERT, {_ANNOUNCE}",
        "stages": f"SELECT, INSERT, {_PROCEED}",
        "renditions": "SELECT",
        "photo_labels": "SELECT, INSERT, DELETE",
        "corrections": "SELECT, INSERT, UPDATE (verdict, removed_with, person, at, source, confidence), DELETE",
        "embeddings": "SELECT",
        "searchable": "SELECT",
        "labels": "SELECT, UPDATE (adjusted_threshold, outdated)",
        "label_terms": "SELECT",
        "label_ancestors": "SELECT",
    },
    # Operators sign in so, too: they look, send back dead letters, and have photos tried again.
    WORKER: {
        "alembic_version": "SELECT",
        "photos": f"SELECT, {_RECORD}",
        "stages": f"SELECT, {_PROCEED}",
        "renditions": "SELECT, INSERT, DELETE",
        "photo_labels": "SELECT, INSERT, DELETE",
        "corrections": "SELECT",
        "embeddings": "SELECT, INSERT, DELETE",
        "labels": "SELECT",
        "label_ancestors": "SELECT",
    },
}
"""What each may do with which tables. Instances of the version before run on until they are replaced: what only they
need is taken away a version later."""

RDS_IAM = "rds_iam"
"""Who is a member of this role, be it through others, signs in to RDS with tokens only."""

_MAKER = "photofleet_maker"


def grant_rights(connection: Connection) -> None:
    """Make the users that are missing and give each exactly its rights, in the caller's transaction.

    It takes whoever may make users and owns the tables, as the master of RDS does.
    """
    connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    # Not as text(), to which a colon in the database's name would mean something.
    connection.exec_driver_sql(f"REVOKE TEMPORARY ON DATABASE {_database(connection)} FROM PUBLIC")
    for role, rights in RIGHTS.items():
        if not _exists(connection, role):
            _make(connection, role)
        if _exists(connection, RDS_IAM):
            connection.execute(text(f"GRANT {RDS_IAM} TO {role}"))
        connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}"))
        for table, allowed in rights.items():
            connection.execute(text(f"GRANT {allowed} ON {table} TO {role}"))


def _make(connection: Connection, role: str) -> None:
    """Make a user through somebody who goes at once.

    Since PostgreSQL 16, who makes a user becomes a member of it. Through one that is a member of RDS_IAM, we would be
    one, too, and the password that we have would be refused from then on.
    """
    for statement in (
        f"CREATE ROLE {_MAKER} CREATEROLE",
        f"GRANT {_MAKER} TO CURRENT_USER",
        f"SET LOCAL ROLE {_MAKER}",
        f"CREATE ROLE {role} LOGIN",
        "RESET ROLE",
        f"DROP ROLE {_MAKER}",
    ):
        connection.execute(text(statement))


def _database(connection: Connection) -> str:
    name: str = connection.execute(text("SELECT quote_ident(current_database())")).scalar_one()
    return name


def _exists(connection: Connection, role: str) -> bool:
    found = connection.execute(text("SELECT FROM pg_roles WHERE rolname = :role"), {"role": role})
    return found.first() is not None
