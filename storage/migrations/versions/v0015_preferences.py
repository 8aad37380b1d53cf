"""What people choose of the page goes with their account: keys, language, colours."""

from alembic import op
from sqlalchemy import text

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE preferences (
        account text PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
        chosen jsonb NOT NULL
    )""",
)


def upgrade() -> None:
    """Create the table; nobody has chosen anything yet."""
    for statement in STATEMENTS:
        op.execute(text(statement))
