"""What the commands of the gate do: lock a plan, compare two models by it, and keep what they find."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from deploy.bundles import bundle_called
from deploy.file_headers import header_of_file
from deploy.kept_evidence import opened_evidence, record_run
from deploy.measuring import measured_on, progress
from deploy.model_changes import ROLE, account_of
from deploy.model_commands import print_answer
from deploy.settings import Settings, read_settings
from models.bundle import Bundle, load_bundle
from models.evidence import LockedPlan, ReachedVerdict
from models.triage_spec import SPEC_FILE, read_triage_spec
from storage.evidence import EvidenceRows
from triage.audit import Actor, AuditAction, AuditEvent
from triage.errors import InvalidPlan
from triage.findings import ModelIdentity
from validation.datasets import load_dataset
from validation.gate.cases import B, Run, paired_cases, read_run
from validation.gate.plan import Plan, read_plan
from validation.gate.verdict import Comparison, verdict_document
from validation.gate.verdict_page import verdict_html
from validation.pdf import pdf_writer
from validation.reuse_ledger import Use, record_use
from validation.run import RESULT_FILE, validate
from validation.written_whole import written_whole

VERDICT_FILE, PAGE_FILE, PDF_FILE = "verdict.json", "verdict.html", "verdict.pdf"


def lock_plan(options: argparse.Namespace) -> int:
    """Keep the plan with the time; locked again it keeps its first time."""
    plan, text, sha256 = read_plan(options.plan)
    by, now = account_of(options.by), datetime.now(UTC)
    event = AuditEvent(now, Actor(by, ROLE), AuditAction.PLAN_LOCKED, details={"plan": plan.name, "sha256": sha256})
    with opened_evidence(read_settings(options.config)) as rows:
        locked = rows.lock(LockedPlan(sha256, plan.name, text, by, now), event)
    answer = {
        "plan": locked.name,
        "sha256": locked.sha256,
        "locked_by": locked.locked_by,
        "locked_at": locked.locked_at.isoformat(),
        "was_locked_before": locked.locked_at != now,
    }
    print_answer(options, answer, f"locked: {locked.name} {sha256} at {locked.locked_at:%Y-%m-%d %H:%M:%S} UTC")
    return 0


def compare(options: argparse.Namespace) -> int:
    """Print the verdict and keep it; 1 when the candidate is refused."""
    settings = read_settings(options.config)
    plan, _, sha256 = read_plan(options.plan)
    write_pdf = pdf_writer() if options.pdf else None
    with written_whole(options.out, _is_earlier_verdict) as unfinished:
        with opened_evidence(settings) as rows:
            locked = _locked(rows, plan, sha256)
            dataset = load_dataset(options.data)
            if plan.dataset_digest not in ("", dataset.digest):
                found, needed = dataset.digest[:12], plan.dataset_digest[:12]
                raise InvalidPlan(f"{plan.name}: data set {found}, the plan needs {needed}")
            sources = [_source(which, settings) for which in (options.a, options.b)]
            _require_unused(rows, locked, sources[B], dataset.digest)
        # The database is not held while the models run: this command may have started the server, and others use it.
        runs = [_run(one, settings, options, unfinished / name) for one, name in zip(sources, "ab", strict=True)]
        cases, at = paired_cases(dataset, *runs), datetime.now(UTC)
        with opened_evidence(settings) as rows:
            for source, name in zip(sources, "ab", strict=True):
                if isinstance(source, Bundle):
                    record_run(rows, unfinished / name)
            known = [rows.is_recorded(one.model.digest, dataset.digest, one.predictions_sha256) for one in runs]
            comparison = Comparison(plan, locked, (runs[0], runs[1]), (known[0], known[1]), cases, at)
            document = verdict_document(comparison)
            page = verdict_html(document)
            (unfinished / VERDICT_FILE).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
            (unfinished / PAGE_FILE).write_text(page, "utf-8")
            if write_pdf is not None:
                write_pdf(page, unfinished / PDF_FILE)
            verdict = _verdict(comparison, document, account_of(options.by))
            record_use(settings.home, _use_of(verdict))
            rows.record_verdict(verdict, page, _event_of(verdict))
    print_answer(options, document, None if options.json else _summary(document))
    return 0 if verdict.accepted else 1


def _locked(rows: EvidenceRows, plan: Plan, sha256: str) -> LockedPlan:
    plans = rows.plans()
    for one in plans:
        if one.sha256 == sha256:
            return one
    if any(one.name == plan.name for one in plans):
        raise InvalidPlan(f"{plan.name}: changed after it was locked, found SHA-256 {sha256[:12]}")
    raise InvalidPlan(f"{plan.name}: not locked, needed `acuity validate lock PLAN.toml` before the data are used")


def _source(which: str, settings: Settings) -> Bundle | Run:
    folder = Path(which)
    if (folder / RESULT_FILE).is_file():
        return read_run(folder)
    if (folder / SPEC_FILE).is_file():
        return load_bundle(folder, read_triage_spec(folder).name)
    return bundle_called(which, settings)


def _require_unused(rows: EvidenceRows, locked: LockedPlan, candidate: Bundle | Run, dataset_digest: str) -> None:
    """Raise InvalidPlan where the candidate was measured on the data before the plan was locked."""
    model = candidate.identity if isinstance(candidate, Bundle) else candidate.model
    recorded = rows.first_measured(model.digest, dataset_digest)
    moments = [moment for moment in (recorded, getattr(candidate, "measured_at", None)) if moment is not None]
    # Runs note whole seconds.
    if moments and min(moments) < locked.locked_at.replace(microsecond=0):
        raise InvalidPlan(
            f"{locked.name}: locked {locked.locked_at.isoformat()}, but {model.name} {model.version} was measured on "
            f"these data {min(moments).isoformat()}; needed a plan that was locked before, or other data"
        )


def _run(source: Bundle | Run, settings: Settings, options: argparse.Namespace, out: Path) -> Run:
    if isinstance(source, Run):
        return source
    request = measured_on(source, options.data, out, options.device, settings)
    validate(request, header_of_file, progress(f"studies by {source.identity.name} {source.identity.version}"))
    return read_run(out)


def _verdict(comparison: Comparison, document: dict[str, object], by: str) -> ReachedVerdict:
    reference, candidate = comparison.runs
    return ReachedVerdict(
        candidate=candidate.model,
        reference=reference.model,
        plan_sha256=comparison.locked.sha256,
        dataset_digest=str(document["dataset_digest"]),
        accepted=bool(document["accepted"]),
        binding=all(comparison.recorded),
        decided_by=by,
        decided_at=comparison.at,
        document=document,
    )


def _use_of(verdict: ReachedVerdict) -> Use:
    by = f"plan {verdict.document['plan']['name']} {verdict.plan_sha256[:16]}"
    return Use(
        dataset_digest=verdict.dataset_digest,
        dataset=str(verdict.document["dataset"]),
        bundle=verdict.candidate.name,
        bundle_digest=verdict.candidate.digest,
        by=by,
        passed=verdict.accepted,
        at=verdict.decided_at.isoformat(timespec="seconds"),
    )


def _event_of(verdict: ReachedVerdict) -> AuditEvent:
    def name(model: ModelIdentity) -> str:
        return f"{model.name}@{model.version}-{model.digest[:12]}"

    details = {
        "candidate": name(verdict.candidate),
        "reference": name(verdict.reference),
        "plan": verdict.plan_sha256,
        "verdict": str(verdict.document["verdict"]),
    }
    actor = Actor(verdict.decided_by, ROLE)
    return AuditEvent(verdict.decided_at, actor, AuditAction.VERDICT_REACHED, details=details)


def _summary(document: dict[str, object]) -> str:
    criteria = document["criteria"]
    assert isinstance(criteria, list)
    lines = [
        f"  {'met    ' if one['met'] else 'NOT met'}  {one['name']}"
        f"{' (' + one['subgroup'] + ')' if one['subgroup'] else ''}: {one['value']} {one['ci95']}, "
        f"needed {one['judged_by'].replace('_', ' ')} {one['needed']:g}"
        for one in criteria
    ]
    return "\n".join([str(document["verdict"]), *lines, _answered(document["cases"])])


def _answered(cases: object) -> str:
    """Return who answered how many studies: a candidate may be refused for what it did not say."""
    assert isinstance(cases, dict)
    a, b = (cases["both_answered"] + cases[f"only_{which}_answered"] for which in "ab")
    counts_as = f"a missing answer counts as {cases['missing_counts_as']}"
    return f"  answered {a} (A), {b} (B) of {cases['n']} studies; {counts_as}"


def _is_earlier_verdict(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return {VERDICT_FILE, PAGE_FILE} <= names <= {VERDICT_FILE, PAGE_FILE, PDF_FILE, "a", "b"}
