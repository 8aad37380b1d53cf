"""The tables, as SQLAlchemy Core sees them; `migrations/` creates them, and a test holds the two together."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
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
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()

MOMENT = DateTime(timezone=True)

_WORKED_OUT = "by the database, see migration 0002"
_READERS_COLUMNS: tuple[Column[Any], ...] = (
    Column("acts", Integer, nullable=False, server_default="0"),
    Column("owner", Text),
    Column("lease_expires_at", MOMENT),
    Column("read_by", Text),
    Column("read_at", MOMENT),
    Column("read_revision", Integer),
    Column("override_band", SmallInteger),
    Column("override_base", SmallInteger),
    Column("override_reason", Text),
    Column("override_by", Text),
    Column("override_expires_at", MOMENT),
    Column("override_deadline", MOMENT),
    Column("modalities", ARRAY(Text), nullable=False, server_default="{}"),
    Column("listed_band", SmallInteger, Computed(_WORKED_OUT), nullable=False),
    Column("due_at", MOMENT, Computed(_WORKED_OUT), nullable=False),
    Column("is_open", Boolean, Computed(_WORKED_OUT), nullable=False),
    Column("searched", Text, Computed(_WORKED_OUT), nullable=False),
)
"""What readers did, as the list shows it (`storage.reading`), and what the list orders and filters by."""

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
    Column("received_at", MOMENT, nullable=False),
    Column("last_instance_at", MOMENT, nullable=False),
    Column("deadline", MOMENT, nullable=False),
    Column("complete_at", MOMENT),
    Column("triaged_at", MOMENT),
    Column("delivered_at", MOMENT),
    Column("completed_by", Text),
    *_READERS_COLUMNS,
    Index("studies_reading_order", "due_at", "received_at", "study_instance_uid"),
    Index("studies_open_order", "due_at", "received_at", "study_instance_uid", postgresql_where=text("is_open")),
    Index("studies_owned", "lease_expires_at", postgresql_where=text("owner IS NOT NULL")),
    Index("studies_overridden", "override_expires_at", postgresql_where=text("override_band IS NOT NULL")),
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
    Column("received_at", MOMENT, nullable=False),
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
    Column("received_at", MOMENT, nullable=False),
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
    Column("received_at", MOMENT, nullable=False),
    UniqueConstraint("claimed_sop_instance_uid", "sha256"),
)

associations = Table(
    "associations",
    metadata,
    Column("association_id", Text, primary_key=True),
    Column("calling_ae_title", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("opened_at", MOMENT, nullable=False),
    Column("closed_at", MOMENT),
    Column("outcome", Text, nullable=False),
    Index("associations_open", "association_id", postgresql_where=text("closed_at IS NULL")),
    Index("associations_by_time", "opened_at"),
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
    Column("recorded_at", MOMENT, nullable=False),
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
    Column("delivered_at", MOMENT),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("planned_at", MOMENT, nullable=False, server_default=text("now()")),
    Column("last_try_at", MOMENT),
)

forwardings = Table(
    "forwardings",
    metadata,
    Column("sop_instance_uid", Text, ForeignKey("instances.sop_instance_uid"), primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("study_instance_uid", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("delivered_at", MOMENT),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("planned_at", MOMENT, nullable=False, server_default=text("now()")),
    Column("last_try_at", MOMENT),
    Column("sent_transfer_syntax_uid", Text),
    Index("forwardings_of_study", "study_instance_uid", "destination"),
    Index("forwardings_open", "destination", postgresql_where=text("state <> 'delivered'")),
)

# A table of its own, so that no query about originals ever finds what must not leave as one.
deidentified_copies = Table(
    "deidentified_copies",
    metadata,
    Column("sop_instance_uid", Text, ForeignKey("instances.sop_instance_uid"), primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("study_instance_uid", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("delivered_at", MOMENT),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("planned_at", MOMENT, nullable=False, server_default=text("now()")),
    Column("last_try_at", MOMENT),
    Column("sent_transfer_syntax_uid", Text),
    Index("deidentified_copies_of_study", "study_instance_uid", "destination"),
    Index("deidentified_copies_open", "destination", postgresql_where=text("state <> 'delivered'")),
)

destination_circuits = Table(
    "destination_circuits",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("retry_at", MOMENT),
    Column("last_error", Text, nullable=False),
)

study_changes = Table(
    "study_changes",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("study_instance_uid", Text, nullable=False),
    Column("changed_at", MOMENT, nullable=False, server_default=text("now()")),
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("failed_logins", Integer, nullable=False, server_default="0"),
    Column("locked_until", MOMENT),
    Column("created_at", MOMENT, nullable=False),
    Column("issuer", Text),
    Column("subject", Text),
    Column("sites", ARRAY(Text)),
    Index("accounts_of_provider", "issuer", "subject", unique=True, postgresql_where=text("issuer IS NOT NULL")),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("account", Text, ForeignKey("accounts.name", ondelete="CASCADE"), nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("created_at", MOMENT, nullable=False),
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
    Column("registered_at", MOMENT, nullable=False),
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
    Column("decided_at", MOMENT, nullable=False),
    Column("why", Text, nullable=False),
    Index("model_history_of_model", "model_id"),
)

reading_acts = Table(
    "reading_acts",
    metadata,
    Column("number", BigInteger, Identity(), primary_key=True),
    Column("study_instance_uid", Text, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("reader", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", MOMENT, nullable=False),
    Column("undoes", BigInteger, ForeignKey("reading_acts.number"), unique=True),
    Column("content", JSONB, nullable=False),
    Index("reading_acts_of_study", "study_instance_uid", "number"),
)

selections = Table(
    "selections",
    metadata,
    Column("study_instance_uid", Text, ForeignKey("studies.study_instance_uid"), primary_key=True),
    Column("model_name", Text, primary_key=True),
    Column("model_version", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("chosen_series_uid", Text),
    Column("reason", Text, nullable=False),
    Column("refusals", JSONB, nullable=False),
)

incident_acts = Table(
    "incident_acts",
    metadata,
    Column("number", BigInteger, Identity(), primary_key=True),
    Column("incident", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", MOMENT, nullable=False),
    Index("incident_acts_of_incident", "incident", text("number DESC")),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", MOMENT, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("succeeded", Boolean, nullable=False),
    Column("study_instance_uid", Text),
    Column("details", JSONB, nullable=False),
    Column("previous", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Index("audit_events_of_study", "study_instance_uid", "number"),
)

routings = Table(
    "routings",
    metadata,
    Column("study_instance_uid", Text, ForeignKey("studies.study_instance_uid"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("decided_at", MOMENT, nullable=False),
    Column("routing", JSONB, nullable=False),
)

rule_files = Table(
    "rule_files",
    metadata,
    Column("number", BigInteger, Identity(), primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("read_at", MOMENT, nullable=False),
)

saved_views = Table(
    "saved_views",
    metadata,
    Column("account", Text, ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("filters", JSONB, nullable=False),
)

preferences = Table(
    "preferences",
    metadata,
    Column("account", Text, ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True),
    Column("chosen", JSONB, nullable=False),
)
