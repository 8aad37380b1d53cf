"""Validation runs, suites and verdicts with their reports, for those who decide about models."""

import base64
import hashlib
import re
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response, Security, status
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from models.evidence import EvidenceKind, MeasuredRun, MeasuredSuite, ReachedVerdict, RunningValidation
from triage.errors import PdfUnavailable
from triage.findings import ModelIdentity
from worklist.access import may
from worklist.ports import WorklistServices
from worklist.roles import Permission

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_PREFIX = "/api/v1/validations"

router = APIRouter(prefix=_PREFIX, tags=["validations"], dependencies=[Security(may(Permission.SEE_VALIDATIONS))])


class ModelView(BaseModel):
    """Which model."""

    name: str
    version: str
    digest: str


class RunningView(BaseModel):
    """A validation that workers of the platform are answering: how many of its studies have an answer."""

    model: ModelView
    dataset: str
    device: str
    started_at: datetime
    n_studies: int
    n_answered: int


class RunView(BaseModel):
    """One run; figures have value and ci95, None where the labels allow none. `report` is the page's address."""

    number: int
    model: ModelView
    dataset: str
    dataset_digest: str
    measured_at: datetime
    n_studies: int | None
    n_positive_studies: int | None
    device: str | None
    trained_on_this_data: bool | None
    study_auc: dict[str, Any] | None
    operating_points: list[dict[str, Any]]
    report: str


class SuiteView(BaseModel):
    """One suite; `criteria` with the values found and `findings` in words are those of its document."""

    number: int
    suite: str
    suite_digest: str
    passed: bool
    model: ModelView
    dataset: str
    dataset_digest: str
    measured_at: datetime
    device: str
    criteria: list[dict[str, Any]]
    findings: list[dict[str, str]]
    report: str


class VerdictView(BaseModel):
    """One verdict; only one that is `binding` opens the gate. `criteria` are those of its document."""

    number: int
    verdict: str
    binding: bool
    candidate: ModelView
    reference: ModelView
    plan: str
    dataset: str
    decided_by: str
    decided_at: datetime
    not_met: list[str]
    criteria: list[dict[str, Any]]
    too_small_to_judge: list[dict[str, Any]]
    caveats: list[str]
    report: str


class ValidationsView(BaseModel):
    """What is being answered, and runs, suites and verdicts, the newest first."""

    running: list[RunningView]
    runs: list[RunView]
    suites: list[SuiteView]
    verdicts: list[VerdictView]


@router.get("")
def validations(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> ValidationsView:
    """Return what is being answered, and the newest runs, suites and verdicts."""
    services: WorklistServices = request.app.state.services
    return ValidationsView(
        running=[_running_view(one) for one in services.evidence.running()],
        runs=[_run_view(number, run) for number, run in services.evidence.runs(limit)],
        suites=[_suite_view(number, suite) for number, suite in services.evidence.suites(limit)],
        verdicts=[_verdict_view(number, verdict) for number, verdict in services.evidence.verdicts(limit)],
    )


@router.get("/{kind}/{number}/report", response_class=HTMLResponse)
def report(request: Request, kind: EvidenceKind, number: int) -> HTMLResponse:
    """Return a report as it was written; the browser lets it load nothing, run nothing and send nothing."""
    page = _page(request, kind, number)
    return HTMLResponse(page, headers={"Content-Security-Policy": policy_of(page)})


@router.get("/{kind}/{number}/report.pdf", response_class=Response)
def printed(request: Request, kind: EvidenceKind, number: int) -> Response:
    """Return a report as PDF; 501 where a library that writes it is missing on the server."""
    services: WorklistServices = request.app.state.services
    page = _page(request, kind, number)
    try:
        content = services.as_pdf(page)
    except PdfUnavailable as error:
        raise HTTPException(status.HTTP_501_NOT_IMPLEMENTED, str(error).removeprefix("--pdf: ")) from error
    name = f"{kind.value}-{number}.pdf"
    return Response(
        content, media_type="application/pdf", headers={"Content-Disposition": f'inline; filename="{name}"'}
    )


def policy_of(page: str) -> str:
    """Return the policy that allows the page's own style sheets, by their SHA-256, and the pictures that it holds."""
    digests = (base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in _STYLE.findall(page))
    styles = " ".join(f"'sha256-{one}'" for one in digests) or "'none'"
    return (
        f"default-src 'none'; style-src {styles}; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; sandbox"
    )


def _page(request: Request, kind: EvidenceKind, number: int) -> str:
    services: WorklistServices = request.app.state.services
    page = services.evidence.report(kind, number)
    if page is None:
        raise HTTPException(404, f"no report {kind.value}/{number}")
    return page


def _model_view(model: ModelIdentity) -> ModelView:
    return ModelView(name=model.name, version=model.version, digest=model.digest)


def _running_view(one: RunningValidation) -> RunningView:
    return RunningView(
        model=_model_view(one.model),
        dataset=one.dataset,
        device=one.device,
        started_at=one.started_at,
        n_studies=one.n_studies,
        n_answered=one.n_answered,
    )


def _run_view(number: int, run: MeasuredRun) -> RunView:
    return RunView(
        number=number,
        model=_model_view(run.model),
        dataset=run.dataset,
        dataset_digest=run.dataset_digest,
        measured_at=run.measured_at,
        n_studies=run.document.get("n_studies"),
        n_positive_studies=run.document.get("n_positive_studies"),
        device=run.document.get("device"),
        trained_on_this_data=run.document.get("trained_on_this_data"),
        study_auc=run.document.get("study_auc"),
        operating_points=run.document.get("operating_points", []),
        report=f"{_PREFIX}/{EvidenceKind.RUN.value}/{number}/report",
    )


def _suite_view(number: int, suite: MeasuredSuite) -> SuiteView:
    return SuiteView(
        number=number,
        suite=suite.suite,
        suite_digest=suite.suite_digest,
        passed=suite.passed,
        model=_model_view(suite.model),
        dataset=suite.dataset,
        dataset_digest=suite.dataset_digest,
        measured_at=suite.measured_at,
        device=suite.document["device"],
        criteria=suite.document["criteria"],
        findings=suite.document["findings"],
        report=f"{_PREFIX}/{EvidenceKind.SUITE.value}/{number}/report",
    )


def _verdict_view(number: int, verdict: ReachedVerdict) -> VerdictView:
    document = verdict.document
    return VerdictView(
        number=number,
        verdict=document["verdict"],
        binding=verdict.binding,
        candidate=_model_view(verdict.candidate),
        reference=_model_view(verdict.reference),
        plan=document["plan"]["name"],
        dataset=document["dataset"],
        decided_by=verdict.decided_by,
        decided_at=verdict.decided_at,
        not_met=[
            " ".join(filter(None, (one["name"], one["subgroup"]))) for one in document["criteria"] if not one["met"]
        ],
        criteria=document["criteria"],
        too_small_to_judge=document.get("too_small_to_judge", []),
        caveats=document.get("caveats", []),
        report=f"{_PREFIX}/{EvidenceKind.VERDICT.value}/{number}/report",
    )
