"""Alarms escalate, say how large a change is in its own unit, and may pause the flags of a model."""

from alembic import op
from sqlalchemy import text

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STATEMENTS = (
    """ALTER TABLE drift_alarms
        ADD COLUMN amount double precision,
        ADD COLUMN escalates_at timestamptz,
        ADD COLUMN escalated_at timestamptz,
        ADD COLUMN flags_paused_at timestamptz""",
)


def upgrade() -> None:
    """Add the columns; alarms from before escalate a day after they were opened."""
    for statement in STATEMENTS:
        op.execute(text(statement))
