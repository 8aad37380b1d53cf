"""Saved views of the list, and the order in which associations are looked at."""

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE saved_views (
        account text NOT NULL REFERENCES accounts ON DELETE CASCADE,
        name text NOT NULL,
        filters jsonb NOT NULL,
        PRIMARY KEY (account, name)
    )""",
    "CREATE INDEX associations_by_time ON associations (opened_at)",
)


def upgrade() -> None:
    """Create the table and the index."""
    for statement in STATEMENTS:
        op.execute(text(statement))
