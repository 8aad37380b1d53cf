"""What the routing rules decided for each revision."""

from alembic import op
from sqlalchemy import text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE routings (
        study_instance_uid text NOT NULL REFERENCES studies,
        revision integer NOT NULL,
        decided_at timestamptz NOT NULL,
        routing jsonb NOT NULL,
        PRIMARY KEY (study_instance_uid, revision)
    )""",
)


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS:
        op.execute(text(statement))
