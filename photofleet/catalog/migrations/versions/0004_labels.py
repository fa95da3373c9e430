"""Thresholds and corrections of labels, who labelled a photo last, and what the network saw as a vector."""

import sqlalchemy as sa
from alembic import op

from photofleet.catalog.vector import HalfVector

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # Whoever asks for these tables later waits behind this: nobody is to wait long. The migration is tried again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    # On RDS, the master may do so; elsewhere, it takes a superuser, unless one has done it for this database.
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    op.add_column("photos", sa.Column("labels_source", sa.Text(), nullable=True))
    op.add_column("labels", sa.Column("threshold", sa.Float(), server_default="0", nullable=False))
    op.add_column("labels", sa.Column("adjusted_threshold", sa.Float(), nullable=True))
    op.add_column("labels", sa.Column("outdated", sa.Integer(), server_default="0", nullable=False))
    op.create_check_constraint(
        op.f("ck_labels_adjusted_threshold"), "labels", "adjusted_threshold BETWEEN 0 AND 1", postgresql_not_valid=True
    )
    op.create_table(
        "corrections",
        sa.Column("photo_id", sa.Uuid(), nullable=False),
        sa.Column("label_id", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("removed_with", sa.Text(), nullable=True),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.CheckConstraint("verdict IN ('added', 'confirmed', 'removed')", name=op.f("ck_corrections_verdict")),
        sa.CheckConstraint("removed_with IS NULL OR verdict = 'removed'", name=op.f("ck_corrections_removed_with")),
        sa.CheckConstraint("(source IS NULL) = (confidence IS NULL)", name=op.f("ck_corrections_source")),
        sa.ForeignKeyConstraint(["label_id"], ["labels.id"], name=op.f("fk_corrections_label_id_labels")),
        sa.ForeignKeyConstraint(["removed_with"], ["labels.id"], name=op.f("fk_corrections_removed_with_labels")),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["photos.id"], name=op.f("fk_corrections_photo_id_photos"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("photo_id", "label_id", name=op.f("pk_corrections")),
    )
    op.create_index("ix_corrections_label_id", "corrections", ["label_id"])
    op.create_table(
        "embeddings",
        sa.Column("photo_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("embedding", HalfVector(), nullable=False),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["photos.id"], name=op.f("fk_embeddings_photo_id_photos"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("photo_id", "source", name=op.f("pk_embeddings")),
    )
    op.create_index(
        "ix_embeddings_embedding",
        "embeddings",
        ["embedding"],
        postgresql_using="hnsw",
        postgresql_ops={"embedding": "halfvec_cosine_ops"},
    )
