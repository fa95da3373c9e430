"""The taxonomy in the database: labels, the words for them, and what is a kind of what."""

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from photofleet.catalog.models import Label, LabelAncestor, LabelTerm
from photofleet.catalog.searchable import outdate
from photofleet.catalog.taxonomy import SILENCED, Taxonomy, load_taxonomy


def store_taxonomy(connection: Connection) -> None:
    """Make the tables say what this version's taxonomy says, in the caller's transaction.

    Once it is committed, housekeeping has photos found by it.

    A label that has left the taxonomy stays, since photos may bear it, but is found under its name no more.
    """
    taxonomy = load_taxonomy()
    upsert = insert(Label)
    thresholds = dict(connection.execute(select(Label.id, Label.threshold)).all())
    adjusted = {label.id for label in taxonomy if thresholds.get(label.id) != label.threshold}
    connection.execute(
        upsert.on_conflict_do_update(
            index_elements=[Label.id],
            set_={name: upsert.excluded[name] for name in ("name", "synonyms", "parents", "threshold")},
        ),
        [
            {
                "id": label.id,
                "name": label.name,
                "synonyms": list(label.synonyms),
                "parents": list(label.parents),
                "threshold": label.threshold,
            }
            for label in taxonomy
        ],
    )
    silenced = Label.threshold >= SILENCED  # of which nobody can reset what an operator had set before
    connection.execute(update(Label).where(silenced).values(adjusted_threshold=None))
    _replace(connection, LabelTerm, _terms(taxonomy))
    moved = {row["label_id"] for row in _replace(connection, LabelAncestor, _ancestors(taxonomy))}
    outdate(connection, (moved | adjusted) & thresholds.keys())


def _replace(
    connection: Connection, table: type[LabelTerm | LabelAncestor], wanted: list[dict[str, str]]
) -> list[dict[str, str]]:
    """Make a table hold exactly these rows; returns those in which it differed, and writes nothing else."""
    columns = sorted(wanted[0])
    stored = {tuple(row) for row in connection.execute(select(*(getattr(table, name) for name in columns)))}
    rows = {tuple(row[name] for name in columns) for row in wanted}
    if gone := stored - rows:
        is_row = (getattr(table, name) == bindparam(name) for name in columns)
        connection.execute(delete(table).where(*is_row), [dict(zip(columns, row, strict=True)) for row in sorted(gone)])
    if new := rows - stored:
        connection.execute(insert(table), [dict(zip(columns, row, strict=True)) for row in sorted(new)])
    return [dict(zip(columns, row, strict=True)) for row in gone | new]


def _terms(taxonomy: Taxonomy) -> list[dict[str, str]]:
    return [
        {"label_id": label.id, "term": term}
        for label in taxonomy
        for term in sorted({word.lower() for word in (label.name, *label.synonyms)})
    ]


def _ancestors(taxonomy: Taxonomy) -> list[dict[str, str]]:
    return [
        {"label_id": label.id, "ancestor_id": ancestor}
        for label in taxonomy
        for ancestor in sorted({label.id, *taxonomy.ancestors(label.id)})
    ]
