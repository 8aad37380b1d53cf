"""The tables of validation: plans, runs, verdicts, what models in the shadow said, and alarms of drift."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.schema import MOMENT, metadata

validation_plans = Table(
    "validation_plans",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("locked_by", Text, nullable=False),
    Column("locked_at", MOMENT, nullable=False),
)

validation_runs = Table(
    "validation_runs",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("model_name", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("model_digest", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("dataset_digest", Text, nullable=False),
    Column("measured_at", MOMENT, nullable=False),
    Column("predictions_sha256", Text, nullable=False),
    Column("document", JSONB, nullable=False),
    Column("report", Text, nullable=False),
    Index("validation_runs_of_model", "model_digest", "dataset_digest"),
)

validation_verdicts = Table(
    "validation_verdicts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("candidate_name", Text, nullable=False),
    Column("candidate_version", Text, nullable=False),
    Column("candidate_digest", Text, nullable=False),
    Column("reference_name", Text, nullable=False),
    Column("reference_version", Text, nullable=False),
    Column("reference_digest", Text, nullable=False),
    Column("plan_sha256", Text, ForeignKey("validation_plans.sha256"), nullable=False),
    Column("dataset_digest", Text, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("binding", Boolean, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", MOMENT, nullable=False),
    Column("document", JSONB, nullable=False),
    Column("report", Text, nullable=False),
    Index("validation_verdicts_of_candidate", "candidate_digest"),
)

shadow_answers = Table(
    "shadow_answers",
    metadata,
    Column("study_instance_uid", Text, ForeignKey("studies.study_instance_uid"), primary_key=True),
    Column("model_digest", Text, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("model_name", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("recorded_at", MOMENT, nullable=False),
    Column("answer", JSONB),
    Column("reason", Text, nullable=False),
)

drift_alarms = Table(
    "drift_alarms",
    metadata,
    Column("number", BigInteger, Identity(), primary_key=True),
    Column("site", Text, nullable=False),
    Column("scanner", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("noticed_on", Date, nullable=False),
    Column("changed_on", Date, nullable=False),
    Column("side", Text, nullable=False),
    Column("statistic", Double, nullable=False),
    Column("alarm_limit", Double, nullable=False),
    Column("size", Double, nullable=False),
    Column("studies", ARRAY(Text), nullable=False),
    Column("opened_at", MOMENT, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False, server_default=""),
    Column("cause", Text),
    Column("explanation", Text, nullable=False, server_default=""),
    Column("action", Text, nullable=False, server_default=""),
    Column("closed_at", MOMENT),
    Column("new_baseline", Boolean, nullable=False, server_default="false"),
    Column("amount", Double),
    Column("escalates_at", MOMENT),
    Column("escalated_at", MOMENT),
    Column("flags_paused_at", MOMENT),
    Index(
        "drift_alarms_one_open",
        "site",
        "scanner",
        "model",
        "stream",
        unique=True,
        postgresql_where=text("state <> 'closed'"),
    ),
)
