"""How much work there is and how quickly it goes, counted from the rows: numbers for monitoring, no patient data."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from storage.transaction import transaction
from triage.priority import Priority
from triage.study import StudyStatus


@dataclass(frozen=True, slots=True)
class StageTimes:
    """How long one stage took over the last hour, in seconds."""

    stage: str
    studies: int
    median_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class WorkloadFigures:
    """One reading of the rows.

    `studies` counts by (status, band, AI state); `oldest_waiting_s` is the age of the oldest study without an
    analysis by band; `jobs` counts by (queue, "todo" or "doing").
    """

    studies: Mapping[tuple[str, str, str], int]
    oldest_waiting_s: Mapping[str, float]
    jobs: Mapping[tuple[str, str], int]
    stages: tuple[StageTimes, ...]


@dataclass(frozen=True, slots=True)
class WorkloadReader:
    """Reads the figures, each call in a transaction of its own."""

    engine: Engine

    def read(self) -> WorkloadFigures:
        with transaction(self.engine) as connection:
            return WorkloadFigures(
                studies=_studies(connection),
                oldest_waiting_s=_oldest_waiting(connection),
                jobs=_jobs(connection),
                stages=_stages(connection),
            )

    def ping(self) -> None:
        """Return when the database answered; raises StoreUnavailable."""
        with transaction(self.engine) as connection:
            connection.execute(text("SELECT 1"))


def _studies(connection: Connection) -> dict[tuple[str, str, str], int]:
    rows = connection.execute(
        text("SELECT status, priority, ai_state, count(*) AS n FROM studies GROUP BY status, priority, ai_state")
    )
    return {(row.status, Priority(row.priority).name, row.ai_state): row.n for row in rows}


def _oldest_waiting(connection: Connection) -> dict[str, float]:
    rows = connection.execute(
        text(
            "SELECT priority, extract(epoch FROM now() - min(received_at))::float8 AS age_s FROM studies"
            " WHERE status IN (:receiving, :complete) GROUP BY priority"
        ),
        {"receiving": StudyStatus.RECEIVING.value, "complete": StudyStatus.COMPLETE.value},
    )
    waiting = {Priority(row.priority).name: max(0.0, row.age_s) for row in rows}
    return {band.name: waiting.get(band.name, 0.0) for band in Priority}


def _jobs(connection: Connection) -> dict[tuple[str, str], int]:
    rows = connection.execute(
        text(
            "SELECT queue_name, status::text AS state, count(*) AS n FROM procrastinate_jobs"
            " WHERE status IN ('todo', 'doing') GROUP BY queue_name, status"
        )
    )
    return {(row.queue_name, row.state): row.n for row in rows}


_STAGES = text("""
    SELECT stage, count(*) AS studies,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median_s,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95_s
    FROM studies, LATERAL (VALUES
        ('receiving', extract(epoch FROM complete_at - received_at)::float8, complete_at),
        ('triage', extract(epoch FROM triaged_at - complete_at)::float8, triaged_at),
        ('delivery', extract(epoch FROM delivered_at - triaged_at)::float8, delivered_at)
    ) AS each(stage, seconds, ended_at)
    WHERE ended_at > now() - interval '1 hour' AND seconds >= 0
    GROUP BY stage ORDER BY stage
""")


def _stages(connection: Connection) -> tuple[StageTimes, ...]:
    return tuple(StageTimes(row.stage, row.studies, row.median_s, row.p95_s) for row in connection.execute(_STAGES))
