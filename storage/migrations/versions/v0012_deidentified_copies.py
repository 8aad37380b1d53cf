"""The ledger of de-identified copies, beside that of originals."""

from alembic import op
from sqlalchemy import text

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE deidentified_copies (
        sop_instance_uid text NOT NULL REFERENCES instances,
        destination text NOT NULL,
        study_instance_uid text NOT NULL,
        state text NOT NULL CHECK (state IN ('planned', 'delivered', 'refused')),
        last_error text NOT NULL DEFAULT '',
        delivered_at timestamptz,
        attempts integer NOT NULL DEFAULT 0,
        planned_at timestamptz NOT NULL DEFAULT now(),
        last_try_at timestamptz,
        sent_transfer_syntax_uid text,
        PRIMARY KEY (sop_instance_uid, destination)
    )""",
    "CREATE INDEX deidentified_copies_of_study ON deidentified_copies (study_instance_uid, destination)",
    "CREATE INDEX deidentified_copies_open ON deidentified_copies (destination) WHERE state <> 'delivered'",
)


def upgrade() -> None:
    """Add the ledger of copies."""
    for statement in STATEMENTS:
        op.execute(text(statement))
