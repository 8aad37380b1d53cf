"""Deliveries: attempts, originals that go on to other archives, and which destinations do not answer."""

from alembic import op
from sqlalchemy import text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS = (
    """ALTER TABLE deliveries
        ADD COLUMN attempts integer NOT NULL DEFAULT 0,
        ADD COLUMN planned_at timestamptz NOT NULL DEFAULT now(),
        ADD COLUMN last_try_at timestamptz""",
    """CREATE TABLE forwardings (
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
    "CREATE INDEX forwardings_of_study ON forwardings (study_instance_uid, destination)",
    "CREATE INDEX forwardings_open ON forwardings (destination) WHERE state <> 'delivered'",
    """CREATE TABLE destination_circuits (
        destination text PRIMARY KEY,
        failures integer NOT NULL,
        retry_at timestamptz,
        last_error text NOT NULL
    )""",
)


def upgrade() -> None:
    """Add the ledger of originals, and what the ledger of results did not say."""
    for statement in STATEMENTS:
        op.execute(text(statement))
