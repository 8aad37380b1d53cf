"""What one model said about live studies, and what readers answered, as rows."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from storage.reading import act_from_row
from storage.results import recorded_from_row
from storage.rows import from_json
from storage.schema import analyses, instances, reading_acts, studies
from storage.transaction import transaction
from triage.findings import Analysis
from triage.identifiers import StudyInstanceUid
from triage.reading import Act
from triage.study import SeriesHeader, StudyHeader


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """The newest answer of a model on a study, on which series; every act of the readers, oldest first.

    `models` counts the models that answered on the study.
    """

    header: StudyHeader
    series: SeriesHeader
    analysis: Analysis
    acts: tuple[Act, ...]
    models: int


def live_answers(engine: Engine, model_digest: str) -> Sequence[LiveAnswer]:
    """Return every study that the model answered, out-of-scope ones left out, by the study's UID."""
    mine = analyses.c.model_digest == model_digest
    of_mine = select(analyses.c.study_instance_uid).where(mine)
    answered = (
        select(analyses, studies.c.header)
        .join(studies, studies.c.study_instance_uid == analyses.c.study_instance_uid)
        .where(mine)
        .order_by(analyses.c.study_instance_uid, analyses.c.revision, analyses.c.id)
    )
    names = analyses.c.model_name
    spoke = (
        select(analyses.c.study_instance_uid, func.count(names.distinct()).label("models"))
        .where(analyses.c.study_instance_uid.in_(of_mine), analyses.c.answer["out_of_scope"].astext.is_(None))
        .group_by(analyses.c.study_instance_uid)
    )
    acted = select(reading_acts).where(reading_acts.c.study_instance_uid.in_(of_mine)).order_by(reading_acts.c.number)
    with transaction(engine) as connection:
        newest = {row.study_instance_uid: row for row in connection.execute(answered)}
        models = {row.study_instance_uid: row.models for row in connection.execute(spoke)}
        acts: defaultdict[str, list[Act]] = defaultdict(list)
        for row in connection.execute(acted):
            acts[row.study_instance_uid].append(act_from_row(row))
        found = {uid: recorded_from_row(row).analysis for uid, row in newest.items()}
        wanted = {one.series_instance_uid for one in found.values()}
        headers = (
            select(instances.c.series_instance_uid, instances.c.series_header)
            .where(instances.c.series_instance_uid.in_(wanted))
            .ext(distinct_on(instances.c.series_instance_uid))
        )
        series = {
            row.series_instance_uid: from_json(SeriesHeader, row.series_header) for row in connection.execute(headers)
        }
    return [
        LiveAnswer(
            header=from_json(StudyHeader, newest[uid].header),
            series=series.get(analysis.series_instance_uid, SeriesHeader(analysis.series_instance_uid)),
            analysis=analysis,
            acts=tuple(acts[uid]),
            models=models.get(StudyInstanceUid(uid), 1),
        )
        for uid, analysis in found.items()
        if not analysis.out_of_scope and analysis.findings
    ]
