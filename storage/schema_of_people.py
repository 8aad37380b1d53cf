"""The tables of what people are told, of logins at an identity provider, and of studies opened in an emergency."""

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Index, Integer, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import UUID

from storage.schema import MOMENT, metadata

notification_events = Table(
    "notification_events",
    metadata,
    Column("number", BigInteger, Identity(), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at", MOMENT, nullable=False, server_default=text("now()")),
    Column("after_link", BigInteger, nullable=False),
    Column("ending", Text),
    Column("ended_by", Text, nullable=False, server_default=""),
    Index("notification_events_open", "kind", "subject", unique=True, postgresql_where=text("ending IS NULL")),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True, server_default=text("gen_random_uuid()")),
    Column("event", BigInteger, ForeignKey("notification_events.number"), nullable=False),
    Column("step", Integer, nullable=False),
    Column("target", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="planned"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("planned_at", MOMENT, nullable=False, server_default=text("now()")),
    Column("last_try_at", MOMENT),
    UniqueConstraint("event", "step", "target"),
)

provider_logins = Table(
    "provider_logins",
    metadata,
    Column("state_sha256", Text, primary_key=True),
    Column("nonce", Text, nullable=False),
    Column("code_verifier", Text, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
)

broken_glass = Table(
    "broken_glass",
    metadata,
    Column("number", BigInteger, Identity(), primary_key=True),
    Column("account", Text, nullable=False),
    Column("study_instance_uid", Text, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("cause", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Index("broken_glass_of_account", "account", "study_instance_uid"),
)
