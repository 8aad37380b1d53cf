"""What was fetched from sources because it was missing here."""

from alembic import op
from sqlalchemy import text

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE fetches (
        study_instance_uid text NOT NULL,
        revision integer NOT NULL,
        source text NOT NULL,
        planned_at timestamptz NOT NULL,
        ended_at timestamptz,
        missing integer NOT NULL DEFAULT 0,
        fetched integer NOT NULL DEFAULT 0,
        reason text NOT NULL DEFAULT '',
        PRIMARY KEY (study_instance_uid, revision)
    )""",
    "CREATE INDEX fetches_open ON fetches (planned_at) WHERE ended_at IS NULL",
)


def upgrade() -> None:
    """Add the list of fetches."""
    for statement in STATEMENTS:
        op.execute(text(statement))
