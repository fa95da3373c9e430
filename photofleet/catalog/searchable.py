"""Keeping what the search looks through true where the meaning of labels changes.

What photos and people's and models' words change there, triggers do (migration 0005).
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select, text, update
from sqlalchemy.orm import Session

from photofleet.catalog.models import Label, PhotoLabel

SPAN = 1000
"""Photos that are done in one transaction, for which others who label them may have to wait."""


def outdate(connection: Connection | Session, label_ids: Collection[str]) -> None:
    """Note in the caller's transaction that photos with these labels are to be found otherwise than until now.

    Some seconds after it is committed, housekeeping does what follows from that.
    """
    more = {"outdated": Label.outdated + 1}
    connection.execute(update(Label).where(Label.id.in_(label_ids)).values(more))


def bring_up_to_date(engine: Engine) -> None:
    """Have photos found by what their labels mean now, where that has changed.

    It works in short transactions and keeps nobody waiting for long. What is broken off is done by the next call.
    """
    wanted = select(Label.id, Label.outdated).where(Label.outdated > 0).order_by(Label.id)
    with engine.connect() as connection:
        while outdated := connection.execute(wanted).all():
            connection.commit()
            # Who began to label photos before the change may go by what was. Once they have ended, all go by what is.
            connection.execute(text("SET LOCAL lock_timeout = '3s'"))
            connection.execute(text("LOCK TABLE photo_labels IN SHARE ROW EXCLUSIVE MODE"))
            connection.commit()
            for label_id, times in outdated:
                _make_searchable(connection, label_id)
                # Where it has changed again meanwhile, all is to be done again.
                unchanged = Label.id == label_id, Label.outdated == times
                connection.execute(update(Label).where(*unchanged).values(outdated=0))
                connection.commit()


def _make_searchable(connection: Connection, label_id: str) -> None:
    last: UUID | None = None
    while photos := _span(connection, label_id, last):
        connection.execute(select(func.make_searchable(photos)))
        connection.commit()
        last = photos[-1]


def _span(connection: Connection, label_id: str, last: UUID | None) -> Sequence[UUID]:
    """The next photos that bear a label, in an order for which there is an index."""
    borne = select(PhotoLabel.photo_id).distinct().where(PhotoLabel.label_id == label_id)
    if last is not None:
        borne = borne.where(PhotoLabel.photo_id < last)
    return connection.scalars(borne.order_by(PhotoLabel.photo_id.desc()).limit(SPAN)).all()
