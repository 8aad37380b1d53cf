"""What models in the shadow said, as rows of their own, and beside them what the models in service said."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, null, select
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from models.lifecycle import RegisteredModel
from storage.results import recorded_from_row
from storage.rows import from_json, to_json
from storage.schema import analyses, models, studies
from storage.schema_of_validation import shadow_answers
from storage.transaction import transaction
from triage.findings import Analysis, ModelIdentity
from triage.identifiers import StudyInstanceUid
from triage.ports import ShadowAnswer
from triage.study import StudyHeader


@dataclass(frozen=True, slots=True)
class ShadowRows:
    """Answers from the shadow within one transaction; satisfies `triage.ports.ShadowStore`."""

    connection: Connection

    def record(self, answer: ShadowAnswer) -> None:
        values = {
            "study_instance_uid": answer.study_instance_uid,
            "model_digest": answer.model.digest,
            "revision": answer.revision,
            "model_name": answer.model.name,
            "model_version": answer.model.version,
            "recorded_at": answer.recorded_at,
            "answer": null() if answer.analysis is None else to_json(answer.analysis),
            "reason": answer.reason,
        }
        self.connection.execute(insert_or_skip(shadow_answers).values(values).on_conflict_do_nothing())


@dataclass(frozen=True, slots=True)
class LivePair:
    """One study as the model in service and the one in the shadow saw it last; `served` is None without an answer."""

    header: StudyHeader
    shadow: ShadowAnswer
    served: Analysis | None


def live_pairs(engine: Engine, model: RegisteredModel) -> Sequence[LivePair]:
    """Return every study that `model` saw in the shadow, oldest answer first."""
    answered = shadow_answers.c.model_digest == model.record.identity.digest
    query = (
        select(shadow_answers, studies.c.header).join(studies).where(answered).order_by(shadow_answers.c.recorded_at)
    )
    beside = (
        select(analyses)
        .join(models, models.c.digest == analyses.c.model_digest)
        .where(models.c.task == model.record.task, models.c.digest != model.record.identity.digest)
        .where(analyses.c.study_instance_uid.in_(select(shadow_answers.c.study_instance_uid).where(answered)))
        .order_by(analyses.c.revision, analyses.c.id)
    )
    with transaction(engine) as connection:
        rows = connection.execute(query).all()
        found = [recorded_from_row(row) for row in connection.execute(beside)]
    served = {one.study_instance_uid: one.analysis for one in found if not one.analysis.out_of_scope}
    newest: dict[str, LivePair] = {}
    for row in sorted(rows, key=lambda row: row.revision):
        uid = StudyInstanceUid(row.study_instance_uid)
        answer = ShadowAnswer(
            study_instance_uid=uid,
            revision=row.revision,
            model=ModelIdentity(row.model_name, row.model_version, row.model_digest),
            recorded_at=row.recorded_at,
            analysis=None if row.answer is None else from_json(Analysis, row.answer),
            reason=row.reason,
        )
        newest[uid] = LivePair(from_json(StudyHeader, row.header), answer, served.get(uid))
    return sorted(newest.values(), key=lambda pair: pair.shadow.recorded_at)
