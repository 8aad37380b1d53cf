"""Storage commitment, performed procedure steps, and which signal completed a study."""

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE commitment_requests (
        ae_title text NOT NULL,
        transaction_uid text NOT NULL,
        host text NOT NULL,
        state text NOT NULL CHECK (state IN ('planned', 'reported', 'refused')),
        requested_at timestamptz NOT NULL,
        reported_at timestamptz,
        failed integer,
        last_error text NOT NULL DEFAULT '',
        PRIMARY KEY (ae_title, transaction_uid)
    )""",
    """CREATE TABLE procedure_steps (
        sop_instance_uid text PRIMARY KEY,
        study_instance_uid text NOT NULL,
        status text NOT NULL CHECK (status IN ('IN PROGRESS', 'COMPLETED', 'DISCONTINUED')),
        ae_title text NOT NULL,
        content jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        ended_at timestamptz
    )""",
    "CREATE INDEX procedure_steps_of_study ON procedure_steps (study_instance_uid)",
    """CREATE TABLE announced_instances (
        signal text NOT NULL,
        announcement text NOT NULL,
        sop_instance_uid text NOT NULL,
        sop_class_uid text NOT NULL,
        PRIMARY KEY (signal, announcement, sop_instance_uid)
    )""",
    "CREATE INDEX announced_instances_by_uid ON announced_instances (sop_instance_uid)",
    """CREATE TABLE source_counts (
        study_instance_uid text PRIMARY KEY,
        source text NOT NULL,
        instances integer,
        asked_at timestamptz NOT NULL
    )""",
    """CREATE TABLE confirmations (
        sop_instance_uid text NOT NULL,
        destination text NOT NULL,
        study_instance_uid text NOT NULL REFERENCES studies,
        sop_class_uid text NOT NULL,
        transaction_uid text NOT NULL UNIQUE,
        state text NOT NULL CHECK (state IN ('planned', 'asked', 'confirmed', 'refused')),
        reason text NOT NULL DEFAULT '',
        planned_at timestamptz NOT NULL,
        asked_at timestamptz,
        answered_at timestamptz,
        PRIMARY KEY (sop_instance_uid, destination)
    )""",
    "CREATE INDEX confirmations_of_study ON confirmations (study_instance_uid)",
    "ALTER TABLE studies ADD COLUMN completed_by text",
)


def upgrade() -> None:
    """Create the tables and the column; what is there stays as it is."""
    for statement in STATEMENTS:
        op.execute(text(statement))
