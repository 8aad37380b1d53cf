"""On which studies of a site a model flagged a finding, and what readers answered."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, text

from storage.transaction import transaction
from triage.findings import Finding
from triage.reading import Answer
from triage.site_ppv import AnsweredFlag

# An answer with its masks is long: it is unpacked once, and only of studies with a flag.
_FLAGS = text("""
    WITH newest AS MATERIALIZED (
        SELECT DISTINCT ON (a.study_instance_uid) a.id,
               coalesce(nullif(s.header ->> 'patient_id', ''), a.study_instance_uid) AS patient
        FROM studies s JOIN analyses a USING (study_instance_uid)
        WHERE s.received_at >= :since AND s.ai_state = 'analysed_flagged'
          AND s.header ->> 'institution_name' = :site AND a.model_digest = :digest
        ORDER BY a.study_instance_uid, a.revision DESC, a.id DESC
    ), flags AS MATERIALIZED (
        SELECT study_instance_uid, patient FROM newest JOIN analyses USING (id)
        WHERE EXISTS (
            SELECT 1 FROM jsonb_array_elements(answer -> 'findings') AS finding
            WHERE finding -> 'code' ->> 'value' = :code AND finding -> 'code' ->> 'scheme' = :scheme
              AND (finding ->> 'probability')::float8 >= (finding ->> 'threshold')::float8
        )
    ), verdicts AS (
        SELECT DISTINCT ON (study_instance_uid, reader)
               study_instance_uid, verdict -> 'model' ->> 'digest' AS digest, verdict ->> 'answer' AS answer
        FROM reading_acts CROSS JOIN LATERAL (SELECT content -> 'verdict' AS verdict) AS said
        WHERE kind = 'verdict' AND at >= :since AND verdict -> 'model' ->> 'name' = :name
          AND verdict -> 'code' ->> 'value' = :code AND verdict -> 'code' ->> 'scheme' = :scheme
          AND NOT EXISTS (SELECT 1 FROM reading_acts undoing WHERE undoing.undoes = reading_acts.number)
        ORDER BY study_instance_uid, reader, number DESC
    )
    SELECT flags.patient, array_remove(array_agg(verdicts.answer), NULL) AS answers
    FROM flags LEFT JOIN verdicts ON verdicts.study_instance_uid = flags.study_instance_uid AND digest = :digest
    GROUP BY flags.study_instance_uid, flags.patient
""")


def answered_flags(engine: Engine, finding: Finding, site: str, since: datetime) -> Sequence[AnsweredFlag]:
    """Return every flag of this finding, by this version of its model, on a study of the site that came since then.

    It is one by what the model said last; of each reader the newest answer counts that was not taken back.
    """
    asked = {
        "name": finding.model.name,
        "digest": finding.model.digest,
        "code": finding.code.value,
        "scheme": finding.code.scheme,
        "site": site,
        "since": since,
    }
    with transaction(engine) as connection:
        return [AnsweredFlag(row.patient, tuple(map(Answer, row.answers))) for row in connection.execute(_FLAGS, asked)]
