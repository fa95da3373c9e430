"""The taxonomy in the database: labels, the words for them, and what is a kind of what."""

from sqlalchemy import Connection, delete
from sqlalchemy.dialects.postgresql import insert

from photofleet.catalog.models import Label, LabelAncestor, LabelTerm
from photofleet.catalog.taxonomy import Taxonomy, load_taxonomy


def store_taxonomy(connection: Connection) -> None:
    """Make the tables say what this version's taxonomy says, in the caller's transaction.

    A label that has left the taxonomy stays, since photos may bear it, but is found under its name no more.
    """
    taxonomy = load_taxonomy()
    connection.execute(delete(LabelTerm))
    connection.execute(delete(LabelAncestor))
    upsert = insert(Label)
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
    connection.execute(insert(LabelTerm), _terms(taxonomy))
    connection.execute(insert(LabelAncestor), _ancestors(taxonomy))


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
