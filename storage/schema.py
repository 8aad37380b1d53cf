"""The tables, as SQLAlchemy Core sees them; `migrations/` creates them, and a test holds the two together."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

_MOMENT = DateTime(timezone=True)

studies = Table(
    "studies",
    metadata,
    Column("study_instance_uid", Text, primary_key=True),
    Column("header", JSONB, nullable=False),
    Column("status", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("order_priority", SmallInteger, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("ai_state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("received_at", _MOMENT, nullable=False),
    Column("last_instance_at", _MOMENT, nullable=False),
    Column("deadline", _MOMENT, nullable=False),
    Column("complete_at", _MOMENT),
    Column("triaged_at", _MOMENT),
    Column("delivered_at", _MOMENT),
    Index("studies_reading_order", "deadline", "received_at", "study_instance_uid"),
    Index("studies_receiving", "last_instance_at", postgresql_where=text("status = 'RECEIVING'")),
)

instances = Table(
    "instances",
    metadata,
    Column("sop_instance_uid", Text, primary_key=True),
    Column("series_instance_uid", Text, nullable=False),
    Column("study_instance_uid", Text, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("series_header", JSONB, nullable=False),
    Column("image_header", JSONB, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("transfer_syntax_uid", Text, nullable=False),
    Column("source_ae_title", Text, nullable=False),
    Column("source_host", Text, nullable=False),
    Column("association_id", Text, nullable=False),
    Column("received_at", _MOMENT, nullable=False),
    Index("instances_of_study", "study_instance_uid", "series_instance_uid"),
)

instance_conflicts = Table(
    "instance_conflicts",
    metadata,
    Column("sop_instance_uid", Text, ForeignKey("instances.sop_instance_uid"), primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("study_instance_uid", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("transfer_syntax_uid", Text, nullable=False),
    Column("source_ae_title", Text, nullable=False),
    Column("source_host", Text, nullable=False),
    Column("received_at", _MOMENT, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("claimed_sop_instance_uid", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("source_ae_title", Text, nullable=False),
    Column("source_host", Text, nullable=False),
    Column("received_at", _MOMENT, nullable=False),
    UniqueConstraint("claimed_sop_instance_uid", "sha256"),
)

associations = Table(
    "associations",
    metadata,
    Column("association_id", Text, primary_key=True),
    Column("calling_ae_title", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("opened_at", _MOMENT, nullable=False),
    Column("closed_at", _MOMENT),
    Column("outcome", Text, nullable=False),
    Index("associations_open", "association_id", postgresql_where=text("closed_at IS NULL")),
)

analyses = Table(
    "analyses",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("study_instance_uid", Text, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("input_digest", Text, nullable=False),
    Column("model_name", Text, nullable=False),
    Column("model_digest", Text, nullable=False),
    Column("answer", JSONB, nullable=False),
    Column("recorded_at", _MOMENT, nullable=False),
    UniqueConstraint("study_instance_uid", "input_digest", "model_digest"),
)

result_objects = Table(
    "result_objects",
    metadata,
    Column("sop_instance_uid", Text, primary_key=True),
    Column("sop_class_uid", Text, nullable=False),
    Column("study_instance_uid", Text, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("path", Text, nullable=False),
    Index("result_objects_of_study", "study_instance_uid"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("sop_instance_uid", Text, ForeignKey("result_objects.sop_instance_uid"), primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("delivered_at", _MOMENT),
)

study_changes = Table(
    "study_changes",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("study_instance_uid", Text, nullable=False),
    Column("changed_at", _MOMENT, nullable=False, server_default=text("now()")),
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("failed_logins", Integer, nullable=False, server_default="0"),
    Column("locked_until", _MOMENT),
    Column("created_at", _MOMENT, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("account", Text, ForeignKey("accounts.name", ondelete="CASCADE"), nullable=False),
    Column("created_at", _MOMENT, nullable=False),
    Column("expires_at", _MOMENT, nullable=False),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("created_at", _MOMENT, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("record", JSONB, nullable=False),
    Column("registered_at", _MOMENT, nullable=False),
    UniqueConstraint("name", "version", "digest"),
    Index("models_one_active_for_each_task", "task", unique=True, postgresql_where=text("state = 'active'")),
)

model_history = Table(
    "model_history",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("model_id", BigInteger, ForeignKey("models.id"), nullable=False),
    Column("action", Text, nullable=False),
    Column("state_before", Text),
    Column("state_after", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", _MOMENT, nullable=False),
    Column("why", Text, nullable=False),
    Index("model_history_of_model", "model_id"),
)
