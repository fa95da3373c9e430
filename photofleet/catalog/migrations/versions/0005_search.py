"""What the search looks through: a small row for each photo, which triggers keep, and an index of filenames."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.create_index(
        "ix_photos_filename",
        "photos",
        ["filename"],
        postgresql_using="gin",
        postgresql_ops={"filename": "gin_trgm_ops"},
    )
    op.add_column("labels", sa.Column("number", sa.Integer(), sa.Identity(always=True), nullable=False))
    op.create_table(
        "searchable",
        sa.Column("photo_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kinds", postgresql.ARRAY(sa.Integer()), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["photos.id"], name=op.f("fk_searchable_photo_id_photos"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("photo_id", name=op.f("pk_searchable")),
    )
    for statement in (_KINDS, _OF_PHOTOS, _OF_LABELS, *_TRIGGERS, _FILL):
        op.execute(statement)
    op.create_index("ix_searchable_at_photo_id", "searchable", ["at", "photo_id"])
    op.create_index("ix_searchable_kinds", "searchable", ["kinds"], postgresql_using="gin")


# They work with their owner's rights, so that nobody else needs any; the path is fixed, so that nobody can put tables
# of the same names before these.

_KINDS = """
CREATE FUNCTION kinds_of(photo uuid) RETURNS integer[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(DISTINCT labels.number), '{}')
    FROM photo_labels
    JOIN label_ancestors USING (label_id)
    JOIN labels ON labels.id = label_ancestors.ancestor_id
    WHERE photo_labels.photo_id = photo
$$
"""

_OF_PHOTOS = """
CREATE FUNCTION photo_is_searchable() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO searchable (photo_id, at) VALUES (new.id, coalesce(new.taken_at, new.uploaded_at));
    RETURN NULL;
END $$
"""

_OF_LABELS = """
CREATE FUNCTION labels_are_searchable() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE searchable SET kinds = found.kinds
    FROM (SELECT photo_id, kinds_of(photo_id) AS kinds FROM (SELECT DISTINCT photo_id FROM changed) AS photos) AS found
    WHERE searchable.photo_id = found.photo_id AND searchable.kinds <> found.kinds;
    RETURN NULL;
END $$
"""

_TRIGGERS = (
    """
    CREATE TRIGGER photo_is_searchable AFTER INSERT ON photos
    FOR EACH ROW EXECUTE FUNCTION photo_is_searchable()
    """,
    """
    CREATE TRIGGER added_labels_are_searchable AFTER INSERT ON photo_labels
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION labels_are_searchable()
    """,
    """
    CREATE TRIGGER removed_labels_are_searchable AFTER DELETE ON photo_labels
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION labels_are_searchable()
    """,
)

_FILL = """
INSERT INTO searchable (photo_id, at, kinds)
SELECT id, coalesce(taken_at, uploaded_at), kinds_of(id) FROM photos
"""
