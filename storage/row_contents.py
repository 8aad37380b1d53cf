"""What stands behind the rows of one page: what was received of each study, and what the models last said of it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from storage.rows import from_json
from triage.findings import Analysis

# Instances are only counted, on the index; the header is the same for all of a series, so one of them is looked at.
_CONTENTS = text("""
    SELECT counted.study_instance_uid,
           sum(counted.instances)::int AS instances,
           array_agg(DISTINCT one.modality) AS modalities,
           array_agg(DISTINCT one.body_part) AS body_parts,
           array_agg(DISTINCT one.source_ae_title) AS source_ae_titles
    FROM (
        SELECT study_instance_uid, series_instance_uid, count(*) AS instances FROM instances
        WHERE study_instance_uid = ANY(:uids) GROUP BY study_instance_uid, series_instance_uid
    ) AS counted
    CROSS JOIN LATERAL (
        SELECT series_header ->> 'modality' AS modality, series_header ->> 'body_part' AS body_part, source_ae_title
        FROM instances i
        WHERE i.study_instance_uid = counted.study_instance_uid AND i.series_instance_uid = counted.series_instance_uid
        LIMIT 1
    ) AS one
    GROUP BY counted.study_instance_uid
""")


def contents_of(connection: Connection, uids: Sequence[str]) -> dict[str, Row[Any]]:
    """Return what was received of each study: how many instances, of which modalities and body parts, from whom."""
    return {row.study_instance_uid: row for row in connection.execute(_CONTENTS, {"uids": list(uids)})}


_NEWEST_ANSWERS = text("""
    SELECT a.study_instance_uid, a.revision, jsonb_set(a.answer, '{findings}', (
        SELECT coalesce(jsonb_agg(f - 'image_scores' - 'masks' ORDER BY place), '[]')
        FROM jsonb_array_elements(a.answer -> 'findings') WITH ORDINALITY AS each(f, place)
    )) AS answer
    FROM analyses a
    WHERE a.study_instance_uid = ANY(:uids)
      AND a.revision = (SELECT max(revision) FROM analyses WHERE study_instance_uid = a.study_instance_uid)
    ORDER BY a.id
""")


def answers_to(connection: Connection, uids: Sequence[str]) -> dict[str, tuple[int, tuple[Analysis, ...]]]:
    """Return what the models said at the newest analysed revision of each study, and which revision that was."""
    answers: dict[str, tuple[int, tuple[Analysis, ...]]] = {}
    for row in connection.execute(_NEWEST_ANSWERS, {"uids": list(uids)}):
        _, earlier = answers.get(row.study_instance_uid, (0, ()))
        answers[row.study_instance_uid] = (row.revision, (*earlier, from_json(Analysis, row.answer)))
    return answers
