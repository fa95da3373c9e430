"""What operators need: why the last attempt at a stage went wrong, and how far the fleets have come."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("stages", sa.Column("last_error", sa.Text(), nullable=True))
    op.create_index("ix_photos_announced_at", "photos", ["announced_at"])
    op.create_index("ix_stages_state_updated_at", "stages", ["state", "updated_at"])
