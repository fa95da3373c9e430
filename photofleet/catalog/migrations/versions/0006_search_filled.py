"""What the search looks through, for the photos of before, and an index of filenames: while the service runs."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # Each statement is a transaction of its own, or several: one that is broken off is done again, from the start.
    with op.get_context().autocommit_block():
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        op.execute(_FILL)
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_photos_filename")  # which is no good if it was broken off
        op.create_index(
            "ix_photos_filename",
            "photos",
            ["filename"],
            postgresql_concurrently=True,
            postgresql_using="gin",
            postgresql_ops={"filename": "gin_trgm_ops"},
        )
        op.execute("ANALYZE photos, searchable")  # the search goes by how common words are


_FILL = """
DO $$
DECLARE
    last uuid := '00000000-0000-0000-0000-000000000000';
    span uuid[];
BEGIN
    LOOP
        span := ARRAY(SELECT id FROM photos WHERE id > last ORDER BY id LIMIT 5000);
        EXIT WHEN span = '{}';
        PERFORM make_searchable(
            ARRAY(SELECT id FROM unnest(span) AS id WHERE NOT EXISTS (SELECT FROM searchable WHERE photo_id = id))
        );
        COMMIT;
        last := span[cardinality(span)];
    END LOOP;
END $$
"""
