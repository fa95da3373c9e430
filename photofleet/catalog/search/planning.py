"""How PostgreSQL is to plan a statement, for the length of a transaction."""

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def set_locally(session: Session, settings: Mapping[str, str]) -> None:
    """Change settings of PostgreSQL until the transaction ends."""
    session.execute(select(*(func.set_config(name, value, True) for name, value in settings.items())))
