"""What the search looks through: a small row for each photo, which triggers keep. 0006 fills it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # Whoever asks for these tables later waits behind this: nobody is to wait long. The migration is tried again.
    op.execute("SET LOCAL lock_timeout = '3s'")
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
    for statement in (_KINDS, _OF_PHOTOS, _OF_LABELS, *_TRIGGERS):
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

# Who labels a photo at the same time as somebody else waits, and then finds what the other has written. It is the
# photo that is locked, since it is there even where its row here is still to be filled in.
_OF_LABELS = """
CREATE FUNCTION labels_are_searchable() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM photos WHERE id IN (SELECT photo_id FROM changed) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO searchable (photo_id, at, kinds)
    SELECT id, coalesce(taken_at, uploaded_at), kinds_of(id) FROM photos WHERE id IN (SELECT photo_id FROM changed)
    ON CONFLICT (photo_id) DO UPDATE SET kinds = excluded.kinds WHERE searchable.kinds <> excluded.kinds;
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
