"""What the API answers; the names of the contract first, what the page needs besides after them."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from triage.findings import AiState, Finding
from triage.identifiers import StudyInstanceUid
from triage.priority import Priority
from triage.site_ppv import SitePpv
from triage.study import Series, StudyStatus
from worklist.patient_words import age_words, person_name, sex_word
from worklist.ports import IncidentList, KnownStudy, ListedStudy
from worklist.work_schemas import ActView, WorkView, act_views, work_view

SIMULATED_WORD = "simulated"


class FindingSummary(BaseModel):
    """One coded finding of one model, with its probability against its operating point."""

    code: str
    scheme: str
    meaning: str
    probability: float
    threshold: float
    operating_point: str
    flagged: bool
    model: str
    model_version: str
    model_digest: str


class RegionView(BaseModel):
    """A box (left, top, right, bottom) in pixels of one image."""

    sop_instance_uid: str
    box: tuple[float, float, float, float]
    probability: float
    frame_number: int | None


class MeasurementView(BaseModel):
    """What was measured of a finding; `unit` is in UCUM."""

    code: str
    scheme: str
    meaning: str
    value: float
    unit: str


class SitePpvView(BaseModel):
    """Of the flags of the last `days` at the study's institution: how many readers answered, and confirmed.

    `ppv` and `ci95` are null below `fewest_answered`.
    """

    days: int
    fewest_answered: int
    flagged: int
    answered: int
    confirmed: int
    ppv: float | None
    ci95: tuple[float, float] | None


class FindingView(FindingSummary):
    """A finding with where it is seen, what was measured of it, and how often its flags were right here."""

    regions: list[RegionView]
    measurements: list[MeasurementView]
    site_ppv: SitePpvView


class PatientView(BaseModel):
    """Who the study is of, in words for the row."""

    name: str
    patient_id: str
    age: str
    sex: str


class StudyFacts(BaseModel):
    """What the list and the single study have in common; `band` is `priority` under the list's word for it.

    `own_band` is the study's own, where a person has given it another one (`work.override`).
    """

    study_instance_uid: StudyInstanceUid
    status: StudyStatus
    revision: int
    priority: str
    deadline: datetime
    ai_state: AiState
    reason: str
    instances: int
    received_at: datetime
    complete_at: datetime | None
    triaged_at: datetime | None
    delivered_at: datetime | None
    completed_by: str | None = None
    band: str
    own_band: str
    is_open: bool
    work: WorkView
    order_priority: str
    patient: PatientView
    modalities: list[str]
    body_parts: list[str]
    description: str
    accession: str
    institution: str
    source_ae_titles: list[str]
    models: list[str]
    analysed_revision: int | None
    simulated: bool


class WorklistRowView(StudyFacts):
    """One row of the list."""

    findings: list[FindingSummary]


class PageFacts(BaseModel):
    """What is said of a page beside its rows; `next_after` begins the next page, None when this is the last."""

    total: int
    next_after: str | None
    change_id: int
    server_time: datetime


class WorklistView(PageFacts):
    """A page of the list in its one order."""

    rows: list[WorklistRowView]


class RefusalView(BaseModel):
    """Why a model did not see a series."""

    model: str
    reason: str


class SeriesView(BaseModel):
    """One series as it was received; `analysed_by` names the models that saw it, `refused_by` says why others not."""

    series_instance_uid: str
    modality: str
    body_part: str
    description: str
    series_number: int | None
    instances: int
    analysed_by: list[str]
    refused_by: list[RefusalView]


class AnalysisView(BaseModel):
    """One recorded analysis; `out_of_scope` is None when the model answered."""

    model: str
    model_version: str
    model_digest: str
    series_instance_uid: str
    revision: int
    recorded_at: datetime
    provider: str
    quality: list[str]
    out_of_scope: str | None
    reading_s: float
    inference_s: float


class DeliveryView(BaseModel):
    """Whether a destination has the object: "planned", "delivered" or "refused"."""

    destination: str
    state: str
    last_error: str
    delivered_at: datetime | None


class ResultObjectView(BaseModel):
    """One written result object and where it goes."""

    sop_instance_uid: str
    kind: str
    revision: int
    deliveries: list[DeliveryView]


class StudyView(StudyFacts):
    """All that is known of one study; `fetched` says what was fetched from its source."""

    findings: list[FindingView]
    series: list[SeriesView]
    analyses: list[AnalysisView]
    results: list[ResultObjectView]
    acts: list[ActView]
    fetched: list[str]
    server_time: datetime


class IncidentView(BaseModel):
    """One thing that needs a person; `handled` is "acknowledged" or empty, closed ones are not told."""

    kind: str
    key: str
    handled: str
    handled_by: str
    at: datetime
    study_instance_uid: str | None
    sop_instance_uid: str | None
    origin: str
    reason: str


class IncidentsView(BaseModel):
    """The newest incidents of each kind, newest first, and how many there are of each."""

    incidents: list[IncidentView]
    counts: dict[str, int]


def row_view(row: ListedStudy) -> WorklistRowView:
    """Return a row of the list as the API answers it; it says nothing that changes while the study does not."""
    return WorklistRowView.model_validate(_facts(row))


def shown_findings(known: KnownStudy, localising: frozenset[str]) -> list[Finding]:
    """Return the findings with the places of those models alone whose display policy is "localising"."""
    return [one if one.model.name in localising else replace(one, regions=()) for one in known.row.findings]


def study_view(
    known: KnownStudy, localising: frozenset[str], site_ppv: Callable[[Finding, str], SitePpv], at: datetime
) -> StudyView:
    """Return all that is known of one study as the API answers it."""
    findings, site = shown_findings(known, localising), known.row.study.header.institution_name
    return StudyView.model_validate(
        {
            **_facts(known.row),
            "findings": [
                {
                    **told,
                    "regions": [asdict(region) for region in one.regions],
                    "site_ppv": _site_ppv_view(site_ppv(one, site)),
                }
                for told, one in zip(known.row.as_object()["findings"], findings, strict=True)
            ],
            "series": [_series_view(series, known) for series in known.series],
            "analyses": _analysis_views(known),
            "results": _result_views(known),
            "acts": act_views(known.acts),
            "fetched": list(known.fetched),
            "server_time": at,
        }
    )


def incidents_view(incidents: IncidentList) -> IncidentsView:
    """Return the incidents as the API answers them."""
    found = [IncidentView.model_validate(one, from_attributes=True) for one in incidents.incidents]
    return IncidentsView(incidents=found, counts=dict(incidents.counts))


def _facts(row: ListedStudy) -> dict[str, Any]:
    study, header = row.study, row.study.header
    return {
        **row.as_object(),
        "band": row.listed_band.name,
        "own_band": Priority(study.priority).name,
        "is_open": row.is_open,
        "work": work_view(row.work),
        "order_priority": header.order_priority.strip().upper(),
        "patient": PatientView(
            name=person_name(header.patient_name),
            patient_id=header.patient_id,
            age=age_words(header.patient_age, header.patient_birth_date, study.received_at),
            sex=sex_word(header.patient_sex),
        ),
        "modalities": list(row.modalities),
        "body_parts": list(row.body_parts),
        "description": header.study_description,
        "accession": header.accession_number,
        "institution": header.institution_name,
        "source_ae_titles": list(row.source_ae_titles),
        "models": [f"{one.model.name} {one.model.version}" for one in row.analyses if not one.out_of_scope],
        "analysed_revision": row.analysed_revision,
        "simulated": SIMULATED_WORD in f"{header.study_description} {header.institution_name}".lower(),
    }


def _site_ppv_view(known: SitePpv) -> SitePpvView:
    told = asdict(known)
    return SitePpvView(ppv=told.pop("value"), ci95=told.pop("interval"), **told)


def _series_view(series: Series, known: KnownStudy) -> SeriesView:
    header = series.header
    uid = header.series_instance_uid
    seen_by = (one.analysis for one in known.recorded if one.analysis.series_instance_uid == uid)
    return SeriesView(
        series_instance_uid=uid,
        modality=header.modality,
        body_part=header.body_part,
        description=header.series_description,
        series_number=header.series_number,
        instances=len(series.images),
        analysed_by=sorted({f"{one.model.name} {one.model.version}" for one in seen_by if not one.out_of_scope}),
        refused_by=[
            RefusalView(model=selection.model, reason=refusal.reason)
            for selection in known.selections
            for refusal in selection.refusals
            if refusal.series_instance_uid == uid
        ],
    )


def _analysis_views(known: KnownStudy) -> list[AnalysisView]:
    return [
        AnalysisView(
            model=one.analysis.model.name,
            model_version=one.analysis.model.version,
            model_digest=one.analysis.model.digest,
            series_instance_uid=one.analysis.series_instance_uid,
            revision=one.revision,
            recorded_at=one.recorded_at,
            provider=one.analysis.provider,
            quality=list(one.analysis.quality),
            out_of_scope=one.analysis.out_of_scope,
            reading_s=one.analysis.seconds.reading,
            inference_s=one.analysis.seconds.inference,
        )
        for one in known.recorded
    ]


def _result_views(known: KnownStudy) -> list[ResultObjectView]:
    return [
        ResultObjectView(
            sop_instance_uid=one.sop_instance_uid,
            kind=one.kind,
            revision=one.revision,
            deliveries=[
                DeliveryView.model_validate(delivery, from_attributes=True)
                for delivery in known.deliveries
                if delivery.sop_instance_uid == one.sop_instance_uid
            ],
        )
        for one in known.objects
    ]
