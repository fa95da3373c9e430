"""What stands in for a picture until it is there, and which setting its renditions were made with."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("photos", sa.Column("preview", sa.LargeBinary(), nullable=True))
    op.add_column("photos", sa.Column("colour", sa.Text(), nullable=True))
    op.add_column("photos", sa.Column("renditions_revision", sa.Text(), nullable=True))
    op.add_column("renditions", sa.Column("mode", sa.Text(), server_default="fit", nullable=False))
    # The rows of today all fit. To look at millions of them would keep everybody waiting: columns are only added.
    for table, column, condition in (
        ("photos", "preview", "octet_length(preview) <= 1024"),
        ("photos", "colour", "colour ~ '^#[0-9a-f]{6}$'"),
        ("renditions", "mode", "mode IN ('fit', 'cover', 'animation')"),
    ):
        op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, condition, postgresql_not_valid=True)
