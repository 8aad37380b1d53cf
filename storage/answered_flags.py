"""Which findings the models flagged, and what readers answered."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, text

from storage.transaction import transaction
from triage.reading import Answer
from triage.site_ppv import AnsweredFlag

# The findings are unpacked only of studies with a flag: an answer with its masks is long, and most have none.
_FLAGS = text("""
    WITH newest AS (
        SELECT DISTINCT ON (a.study_instance_uid, a.model_digest)
               a.study_instance_uid, a.model_name, a.model_digest, a.answer, s.header
        FROM studies s JOIN analyses a USING (study_instance_uid)
        WHERE s.received_at >= :since AND s.ai_state = 'analysed_flagged'
        ORDER BY a.study_instance_uid, a.model_digest, a.revision DESC, a.id DESC
    ), flags AS (
        SELECT study_instance_uid, model_name, model_digest,
               finding -> 'code' ->> 'value' AS code, finding -> 'code' ->> 'scheme' AS scheme,
               coalesce(header ->> 'institution_name', '') AS site,
               coalesce(nullif(header ->> 'patient_id', ''), study_instance_uid) AS patient
        FROM newest CROSS JOIN LATERAL jsonb_array_elements(answer -> 'findings') AS finding
        WHERE answer ->> 'out_of_scope' IS NULL
          AND (finding ->> 'probability')::float8 >= (finding ->> 'threshold')::float8
    ), verdicts AS (
        SELECT DISTINCT ON (study_instance_uid, reader, model_name, code, scheme)
               study_instance_uid, model_name, model_digest, code, scheme, answer
        FROM reading_acts
        CROSS JOIN LATERAL (
            SELECT content -> 'verdict' -> 'model' ->> 'name' AS model_name,
                   content -> 'verdict' -> 'model' ->> 'digest' AS model_digest,
                   content -> 'verdict' -> 'code' ->> 'value' AS code,
                   content -> 'verdict' -> 'code' ->> 'scheme' AS scheme,
                   content -> 'verdict' ->> 'answer' AS answer
        ) AS verdict
        WHERE kind = 'verdict' AND at >= :since
          AND NOT EXISTS (SELECT 1 FROM reading_acts undoing WHERE undoing.undoes = reading_acts.number)
        ORDER BY study_instance_uid, reader, model_name, code, scheme, number DESC
    )
    SELECT flags.model_digest, flags.code, flags.scheme, flags.site, flags.patient,
           array_remove(array_agg(verdicts.answer), NULL) AS answers
    FROM flags LEFT JOIN verdicts USING (study_instance_uid, model_name, model_digest, code, scheme)
    GROUP BY flags.study_instance_uid, flags.model_digest, flags.code, flags.scheme, flags.site, flags.patient
""")


def answered_flags(engine: Engine, since: datetime) -> Sequence[AnsweredFlag]:
    """Return every flag on a study that came since then, by what each model last said of it."""
    with transaction(engine) as connection:
        return [
            AnsweredFlag(row.model_digest, row.code, row.scheme, row.site, row.patient, tuple(map(Answer, row.answers)))
            for row in connection.execute(_FLAGS, {"since": since})
        ]
