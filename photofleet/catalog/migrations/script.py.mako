"""${message}"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


# There is no way down: it would drop what people uploaded. What a release got wrong, a later migration mends.
def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
