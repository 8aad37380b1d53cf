"""Locked plans, validation runs, suites and verdicts as rows: each is written once and never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Engine, Row, Table, func, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from models.evidence import EvidenceKind, LockedPlan, MeasuredRun, MeasuredSuite, ReachedVerdict, RunningValidation
from storage.audit import AuditRows
from storage.schema_of_validation import validation_plans, validation_runs, validation_suites, validation_verdicts
from storage.transaction import transaction
from storage.validation_work import validations_under_way
from triage.audit import AuditEvent
from triage.findings import ModelIdentity

_RUN, _SUITE, _VERDICT = validation_runs.c, validation_suites.c, validation_verdicts.c
_WITH_REPORT = {
    EvidenceKind.RUN: validation_runs,
    EvidenceKind.SUITE: validation_suites,
    EvidenceKind.VERDICT: validation_verdicts,
}


@dataclass(frozen=True, slots=True)
class EvidenceRows:
    """What speaks for models, each call in a transaction of its own."""

    engine: Engine

    def lock(self, plan: LockedPlan, event: AuditEvent) -> LockedPlan:
        """Keep a plan with its event, and return it; one that was locked before is returned as it was then."""
        values = {
            "sha256": plan.sha256,
            "name": plan.name,
            "content": plan.text,
            "locked_by": plan.locked_by,
            "locked_at": plan.locked_at,
        }
        statement = insert_or_skip(validation_plans).values(values).on_conflict_do_nothing()
        with transaction(self.engine) as connection:
            if connection.execute(statement.returning(validation_plans.c.sha256)).one_or_none() is not None:
                AuditRows(connection).append(event)
        return next(one for one in self.plans() if one.sha256 == plan.sha256)

    def plans(self) -> tuple[LockedPlan, ...]:
        """Return every locked plan, oldest first."""
        with transaction(self.engine) as connection:
            rows = connection.execute(select(validation_plans).order_by(validation_plans.c.locked_at)).all()
        return tuple(LockedPlan(row.sha256, row.name, row.content, row.locked_by, row.locked_at) for row in rows)

    def record_run(self, run: MeasuredRun, report: str) -> None:
        """Keep a run with its HTML page."""
        values = {
            **_identity("model", run.model),
            "dataset": run.dataset,
            "dataset_digest": run.dataset_digest,
            "measured_at": run.measured_at,
            "predictions_sha256": run.predictions_sha256,
            "document": run.document,
            "report": report,
        }
        with transaction(self.engine) as connection:
            connection.execute(insert(validation_runs).values(values))

    def record_suite(self, suite: MeasuredSuite, report: str) -> None:
        """Keep a suite with its HTML page."""
        values = {
            **_identity("model", suite.model),
            "suite": suite.suite,
            "suite_digest": suite.suite_digest,
            "dataset": suite.dataset,
            "dataset_digest": suite.dataset_digest,
            "measured_at": suite.measured_at,
            "passed": suite.passed,
            "document": suite.document,
            "report": report,
        }
        with transaction(self.engine) as connection:
            connection.execute(insert(validation_suites).values(values))

    def is_recorded(self, model_digest: str, dataset_digest: str, predictions_sha256: str) -> bool:
        """Return whether this installation recorded a run with these predictions."""
        query = select(func.count()).where(
            _RUN.model_digest == model_digest,
            _RUN.dataset_digest == dataset_digest,
            _RUN.predictions_sha256 == predictions_sha256,
        )
        with transaction(self.engine) as connection:
            return connection.execute(query).scalar_one() > 0

    def first_measured(self, model_digest: str, dataset_digest: str) -> datetime | None:
        """Return when the model was first measured on the data, by a run or a suite; None where it never was."""
        with transaction(self.engine) as connection:
            found = [
                connection.execute(
                    select(func.min(of.measured_at)).where(
                        of.model_digest == model_digest, of.dataset_digest == dataset_digest
                    )
                ).scalar_one()
                for of in (_RUN, _SUITE)
            ]
        return min(filter(None, found), default=None)

    def record_verdict(self, verdict: ReachedVerdict, report: str, event: AuditEvent) -> None:
        """Keep a verdict with its HTML page and its event."""
        values = {
            **_identity("candidate", verdict.candidate),
            **_identity("reference", verdict.reference),
            "plan_sha256": verdict.plan_sha256,
            "dataset_digest": verdict.dataset_digest,
            "accepted": verdict.accepted,
            "binding": verdict.binding,
            "decided_by": verdict.decided_by,
            "decided_at": verdict.decided_at,
            "document": verdict.document,
            "report": report,
        }
        with transaction(self.engine) as connection:
            connection.execute(insert(validation_verdicts).values(values))
            AuditRows(connection).append(event)

    def newest_verdict(self, candidate_digest: str) -> ReachedVerdict | None:
        """Return the newest binding verdict on a candidate, None where there is none."""
        query = (
            select(*_without_report(validation_verdicts))
            .where(_VERDICT.candidate_digest == candidate_digest, _VERDICT.binding)
            .order_by(_VERDICT.id.desc())
            .limit(1)
        )
        with transaction(self.engine) as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _verdict(row)

    def running(self) -> Sequence[RunningValidation]:
        """Return what workers of the platform are answering now, the newest first."""
        return validations_under_way(self.engine)

    def runs(self, limit: int, model_digest: str | None = None) -> Sequence[tuple[int, MeasuredRun]]:
        """Return the newest runs, of all models or one, with their numbers, newest first."""
        rows = self._newest(validation_runs, _RUN.model_digest, model_digest, limit)
        return [(row.id, _run(row)) for row in rows]

    def suites(self, limit: int, model_digest: str | None = None) -> Sequence[tuple[int, MeasuredSuite]]:
        """Return the newest suites, of all models or one, with their numbers, newest first."""
        rows = self._newest(validation_suites, _SUITE.model_digest, model_digest, limit)
        return [(row.id, _suite(row)) for row in rows]

    def verdicts(self, limit: int, model_digest: str | None = None) -> Sequence[tuple[int, ReachedVerdict]]:
        """Return the newest verdicts, on all models or one, with their numbers, newest first."""
        rows = self._newest(validation_verdicts, _VERDICT.candidate_digest, model_digest, limit)
        return [(row.id, _verdict(row)) for row in rows]

    def report(self, kind: EvidenceKind, number: int) -> str | None:
        """Return the HTML page of one run, suite or verdict, None where there is no such number."""
        table = _WITH_REPORT[kind]
        with transaction(self.engine) as connection:
            found: str | None = connection.execute(select(table.c.report).where(table.c.id == number)).scalar()
        return found

    def _newest(self, table: Table, of: Column[Any], model_digest: str | None, limit: int) -> Sequence[Row[Any]]:
        query = select(*_without_report(table)).order_by(table.c.id.desc()).limit(limit)
        if model_digest is not None:
            query = query.where(of == model_digest)
        with transaction(self.engine) as connection:
            return connection.execute(query).all()


def _without_report(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if column.name != "report"]


def _identity(prefix: str, model: ModelIdentity) -> dict[str, str]:
    return {f"{prefix}_name": model.name, f"{prefix}_version": model.version, f"{prefix}_digest": model.digest}


def _run(row: Row[Any]) -> MeasuredRun:
    return MeasuredRun(
        model=ModelIdentity(row.model_name, row.model_version, row.model_digest),
        dataset=row.dataset,
        dataset_digest=row.dataset_digest,
        measured_at=row.measured_at,
        predictions_sha256=row.predictions_sha256,
        document=row.document,
    )


def _suite(row: Row[Any]) -> MeasuredSuite:
    return MeasuredSuite(
        model=ModelIdentity(row.model_name, row.model_version, row.model_digest),
        suite=row.suite,
        suite_digest=row.suite_digest,
        dataset=row.dataset,
        dataset_digest=row.dataset_digest,
        measured_at=row.measured_at,
        passed=row.passed,
        document=row.document,
    )


def _verdict(row: Row[Any]) -> ReachedVerdict:
    return ReachedVerdict(
        candidate=ModelIdentity(row.candidate_name, row.candidate_version, row.candidate_digest),
        reference=ModelIdentity(row.reference_name, row.reference_version, row.reference_digest),
        plan_sha256=row.plan_sha256,
        dataset_digest=row.dataset_digest,
        accepted=row.accepted,
        binding=row.binding,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        document=row.document,
    )
