"""Photos, stages, renditions, labels and the taxonomy."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


# There is no way down: it would drop what people uploaded. What a release got wrong, a later migration mends.
def upgrade() -> None:
    op.create_table(
        "labels",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("synonyms", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("parents", sa.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labels")),
    )
    op.create_table(
        "photos",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("visibility", sa.Text(), server_default="public", nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("announcements", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("visibility IN ('public', 'private')", name=op.f("ck_photos_visibility")),
        sa.CheckConstraint("octet_length(sha256) = 32", name=op.f("ck_photos_sha256")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photos")),
    )
    op.create_index(
        "uq_photos_owner_sha256",
        "photos",
        ["owner", "sha256"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "label_ancestors",
        sa.Column("ancestor_id", sa.Text(), nullable=False),
        sa.Column("label_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ancestor_id"], ["labels.id"], name=op.f("fk_label_ancestors_ancestor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["label_id"], ["labels.id"], name=op.f("fk_label_ancestors_label_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ancestor_id", "label_id", name=op.f("pk_label_ancestors")),
    )
    op.create_index(op.f("ix_label_ancestors_label_id"), "label_ancestors", ["label_id"], unique=False)
    op.create_table(
        "label_terms",
        sa.Column("label_id", sa.Text(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["label_id"], ["labels.id"], name=op.f("fk_label_terms_label_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("label_id", "term", name=op.f("pk_label_terms")),
    )
    op.create_index(
        "ix_label_terms_term",
        "label_terms",
        ["term"],
        unique=False,
        postgresql_ops={"term": "text_pattern_ops"},
    )
    op.create_table(
        "photo_labels",
        sa.Column("photo_id", sa.Uuid(), nullable=False),
        sa.Column("label_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name=op.f("ck_photo_labels_confidence")),
        sa.ForeignKeyConstraint(["label_id"], ["labels.id"], name=op.f("fk_photo_labels_label_id")),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_photo_labels_photo_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("photo_id", "label_id", "source", name=op.f("pk_photo_labels")),
    )
    op.create_index(
        "ix_photo_labels_label_id_photo_id",
        "photo_labels",
        ["label_id", sa.literal_column("photo_id DESC")],
        unique=False,
    )
    op.create_table(
        "renditions",
        sa.Column("photo_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_renditions_photo_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("photo_id", "name", "format", name=op.f("pk_renditions")),
    )
    op.create_table(
        "stages",
        sa.Column("photo_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name=op.f("ck_stages_error")),
        sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name=op.f("ck_stages_state")),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_stages_photo_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("photo_id", "name", name=op.f("pk_stages")),
    )
    op.create_index(
        "ix_stages_unfinished",
        "stages",
        ["photo_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'running')"),
    )
