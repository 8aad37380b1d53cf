"""What the routing rules decided for each revision, and the originals that are sent on."""

from alembic import op
from sqlalchemy import text

revision = "0005"
down_revision = "0003"
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
    """CREATE TABLE forwardings (
        sop_instance_uid text NOT NULL REFERENCES instances,
        destination text NOT NULL,
        study_instance_uid text NOT NULL REFERENCES studies,
        state text NOT NULL CHECK (state IN ('planned', 'delivered', 'refused')),
        last_error text NOT NULL DEFAULT '',
        forwarded_at timestamptz,
        PRIMARY KEY (sop_instance_uid, destination)
    )""",
    "CREATE INDEX forwardings_of_study ON forwardings (study_instance_uid, destination)",
)


def upgrade() -> None:
    """Create both tables."""
    for statement in STATEMENTS:
        op.execute(text(statement))
