"""What surveillance sees of the stored studies: headers, answers, verdicts and times, without the patient."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log
from typing import Any

from sqlalchemy import Connection, Engine, Row, select, text

from storage.reading import act_from_row
from storage.schema import reading_acts
from storage.transaction import transaction
from triage.reading import Act, Answer, standing_verdicts
from triage.surveillance import StudyRecord

NEAREST_TO_CERTAIN = 1e-6
"""Probabilities are held this far from 0 and 1, whose log odds have no end."""

_STUDIES = text("""
    SELECT s.study_instance_uid, s.received_at, s.complete_at, s.triaged_at, s.read_at,
           s.header ->> 'institution_name' AS site,
           s.header ->> 'patient_age' AS age, s.header ->> 'patient_sex' AS sex,
           s.header ->> 'patient_birth_date' AS birth_date, s.header ->> 'study_date' AS study_date,
           one.source_ae_title AS scanner, one.series_header AS series, one.image_header AS image,
           a.model_name, a.model_version, a.quality, a.out_of_scope, a.novelty, a.probability, a.threshold,
           a.embedding
    FROM studies s
    LEFT JOIN LATERAL (
        SELECT DISTINCT ON (model_name, model_digest) model_name, answer -> 'model' ->> 'version' AS model_version,
               answer ->> 'series_instance_uid' AS series_uid, jsonb_array_length(answer -> 'quality') AS quality,
               answer ->> 'out_of_scope' AS out_of_scope, (answer ->> 'novelty')::float8 AS novelty,
               answer -> 'embedding' AS embedding,
               (answer -> 'findings' -> 0 ->> 'probability')::float8 AS probability,
               (answer -> 'findings' -> 0 ->> 'threshold')::float8 AS threshold
        FROM analyses WHERE study_instance_uid = s.study_instance_uid
        ORDER BY model_name, model_digest, revision DESC, id DESC
    ) AS a ON true
    JOIN LATERAL (
        SELECT source_ae_title, series_header, image_header FROM instances i
        WHERE i.study_instance_uid = s.study_instance_uid
        ORDER BY i.series_instance_uid = coalesce(a.series_uid, '') DESC, i.series_instance_uid, i.sop_instance_uid
        LIMIT 1
    ) AS one ON true
    WHERE s.received_at >= :since AND s.received_at < :until
    ORDER BY s.received_at, s.study_instance_uid
""")


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Reads what was stored of the studies, each call in a transaction of its own."""

    engine: Engine

    def between(self, since: datetime, until: datetime) -> list[StudyRecord]:
        """Return a record of each study and model version, by the time at which the study came."""
        with transaction(self.engine) as connection:
            acts = _acts(connection, since, until)
            rows = connection.execute(_STUDIES, {"since": since, "until": until})
            return [_record(row, acts.get(row.study_instance_uid, ())) for row in rows]


def _acts(connection: Connection, since: datetime, until: datetime) -> Mapping[str, Sequence[Act]]:
    among = text("study_instance_uid IN (SELECT study_instance_uid FROM studies WHERE received_at >= :since"
                 " AND received_at < :until)").bindparams(since=since, until=until)  # fmt: skip
    found: dict[str, list[Act]] = defaultdict(list)
    for row in connection.execute(select(reading_acts).where(among).order_by(reading_acts.c.number)):
        found[row.study_instance_uid].append(act_from_row(row))
    return found


def _record(row: Row[Any], acts: Sequence[Act]) -> StudyRecord:
    series, image = row.series, row.image
    categories = {
        "device": f"{series.get('manufacturer', '')} {series.get('model_name', '')}".strip(),
        "software": series.get("software_versions", ""),
        "protocol": series.get("protocol_name", ""),
        "kernel": series.get("convolution_kernel", ""),
        "sex": row.sex or "",
    }
    numbers = {
        "slice_thickness_mm": image.get("slice_thickness_mm"),
        "pixel_spacing_mm": (image.get("pixel_spacing_mm") or [None])[0],
        "exposure_mas": image.get("exposure_mas"),
        "age_years": _age_years(row),
        "novelty": row.novelty,
        "score_logit": None if row.probability is None else _logit(row.probability),
        "triage_minutes": _minutes(row.complete_at, row.triaged_at),
        "reading_minutes": _minutes(row.received_at, row.read_at),
    }
    model = f"{row.model_name} {row.model_version}" if row.model_name else ""
    return StudyRecord(
        study_instance_uid=row.study_instance_uid,
        received_at=row.received_at,
        site=row.site or "",
        scanner=row.scanner,
        model=model,
        categories=categories,
        numbers={name: float(value) for name, value in numbers.items() if value is not None},
        events=dict(_events(row, acts)) if row.model_name else {},
        embedding=tuple(row.embedding or ()),
    )


def _events(row: Row[Any], acts: Sequence[Act]) -> Iterator[tuple[str, bool]]:
    """Yield what happened: reader-positive studies tell of misses, reader-negative ones of false flags."""
    yield "quality_note", row.quality > 0
    yield "out_of_scope", row.out_of_scope is not None
    if row.probability is None:
        return
    flagged = row.probability >= row.threshold
    yield "flagged", flagged
    verdicts = [act.verdict for act in standing_verdicts(acts) if act.verdict is not None]
    own = [one.answer for one in verdicts if one.model is not None and one.model.name == row.model_name]
    added = any(one.answer is Answer.ADD for one in verdicts)
    if flagged and own:
        if own[-1] is Answer.REJECT:
            yield "false_flag", True
        else:
            yield "missed", False
            yield "wrong_place", own[-1] is Answer.MODIFY
    elif not flagged and (added or Answer.REJECT in own):
        yield "missed", True
    elif not flagged and row.read_at is not None:
        yield "false_flag", False


def _logit(probability: float) -> float:
    held = min(max(probability, NEAREST_TO_CERTAIN), 1 - NEAREST_TO_CERTAIN)
    return log(held / (1 - held))


def _minutes(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max((end - start).total_seconds() / 60, 0.0)


def _age_years(row: Row[Any]) -> float | None:
    """Return Patient's Age (0010,1010) in years, else the years between birth and study; PS3.5 6.2, AS and DA."""
    age = row.age or ""
    if len(age) == 4 and age[:3].isdigit() and age[3] in "DWMY":
        return int(age[:3]) / {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[age[3]]
    try:
        born, studied = (datetime.strptime(one or "", "%Y%m%d") for one in (row.birth_date, row.study_date))  # noqa: DTZ007
    except ValueError:
        return None
    return max((studied - born).days / 365.25, 0.0)
