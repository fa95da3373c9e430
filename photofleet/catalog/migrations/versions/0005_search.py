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
        sa.Column("kinds", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("sure", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["photos.id"], name=op.f("fk_searchable_photo_id_photos"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("photo_id", name=op.f("pk_searchable")),
    )
    op.execute("UPDATE labels SET outdated = 0 WHERE outdated > 0")  # as all that is put there goes by today's taxonomy
    for statement in (_SHOWN, _MAKE_SEARCHABLE, _OF_PHOTOS, _OF_LABELS, *_TRIGGERS):
        op.execute(statement)
    op.create_index("ix_searchable_at_photo_id", "searchable", ["at", "photo_id"])
    op.create_index("ix_searchable_kinds", "searchable", ["kinds"], postgresql_using="gin")


# Who calls these needs no rights of their own; the path is fixed, so that nobody can put tables of the same names
# before these.

# The numbers below zero are those of photofleet/catalog/search/traits.py.
_SHOWN = """
CREATE FUNCTION shown_by(photo photos, OUT kinds integer[], OUT sure smallint[]) LANGUAGE sql STABLE AS $$
    SELECT array_agg(number ORDER BY number), array_agg(round(confidence * 10000)::smallint ORDER BY number) FROM (
        SELECT kind.number, max(confidence) AS confidence
        FROM photo_labels
        JOIN labels AS said ON said.id = label_id AND confidence >= coalesce(said.adjusted_threshold, said.threshold)
        JOIN label_ancestors USING (label_id)
        JOIN labels AS kind ON kind.id = label_ancestors.ancestor_id
        WHERE photo_labels.photo_id = photo.id
        GROUP BY kind.number
        UNION ALL
        SELECT -array_position(ARRAY['jpeg', 'png', 'webp', 'gif', 'avif', 'heic', 'tiff'], photo.format), 1
        UNION ALL
        SELECT CASE WHEN photo.width > photo.height THEN -103 WHEN photo.width < photo.height THEN -102 ELSE -101 END, 1
    ) AS numbers
    WHERE number IS NOT NULL
$$
"""

# Who labels a photo at the same time as somebody else waits, and then finds what the other has written. It is the
# photo that is locked, since it is there even where its row here is still to be filled in.
_MAKE_SEARCHABLE = """
CREATE FUNCTION make_searchable(wanted uuid[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM photos WHERE id = ANY (wanted) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO searchable (photo_id, at, kinds, sure)
    SELECT id, coalesce(taken_at, uploaded_at), shown.* FROM photos, shown_by(photos) AS shown WHERE id = ANY (wanted)
    ON CONFLICT (photo_id) DO UPDATE SET kinds = excluded.kinds, sure = excluded.sure
    WHERE (searchable.kinds, searchable.sure) <> (excluded.kinds, excluded.sure);
END $$
"""

_OF_PHOTOS = """
CREATE FUNCTION photo_is_searchable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM make_searchable(ARRAY[new.id]);
    RETURN NULL;
END $$
"""

_OF_LABELS = """
CREATE FUNCTION labels_are_searchable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM make_searchable(ARRAY(SELECT DISTINCT photo_id FROM changed));
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
