"""The tables of what peers announce and ask: commitment, procedure steps, counts at the source, confirmations."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from storage.schema import MOMENT, metadata

commitment_requests = Table(
    "commitment_requests",
    metadata,
    Column("ae_title", Text, primary_key=True),
    Column("transaction_uid", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("requested_at", MOMENT, nullable=False),
    Column("reported_at", MOMENT),
    Column("failed", Integer),
    Column("last_error", Text, nullable=False, server_default=""),
)

procedure_steps = Table(
    "procedure_steps",
    metadata,
    Column("sop_instance_uid", Text, primary_key=True),
    Column("study_instance_uid", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("ae_title", Text, nullable=False),
    Column("content", JSONB, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("ended_at", MOMENT),
    Index("procedure_steps_of_study", "study_instance_uid"),
)

announced_instances = Table(
    "announced_instances",
    metadata,
    Column("signal", Text, primary_key=True),
    Column("announcement", Text, primary_key=True),
    Column("sop_instance_uid", Text, primary_key=True),
    Column("sop_class_uid", Text, nullable=False),
    Index("announced_instances_by_uid", "sop_instance_uid"),
)

source_counts = Table(
    "source_counts",
    metadata,
    Column("study_instance_uid", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("instances", Integer),
    Column("asked_at", MOMENT, nullable=False),
)

fetches = Table(
    "fetches",
    metadata,
    Column("study_instance_uid", Text, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("planned_at", MOMENT, nullable=False),
    Column("ended_at", MOMENT),
    Column("missing", Integer, nullable=False, server_default="0"),
    Column("fetched", Integer, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False, server_default=""),
    Index("fetches_open", "planned_at", postgresql_where=text("ended_at IS NULL")),
)

confirmations = Table(
    "confirmations",
    metadata,
    Column("sop_instance_uid", Text, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("study_instance_uid", Text, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("sop_class_uid", Text, nullable=False),
    Column("transaction_uid", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("planned_at", MOMENT, nullable=False),
    Column("asked_at", MOMENT),
    Column("answered_at", MOMENT),
    Index("confirmations_of_study", "study_instance_uid"),
)
