"""Accepted or refused: both runs, the flow of cases, and every criterion of the plan."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from models.evidence import LockedPlan
from validation.gate.cases import A, B, Cases, Run
from validation.gate.criteria import Judged, judge
from validation.gate.plan import Plan
from validation.intervals import Interval

ACCEPTED, REFUSED = "Accepted", "Refused"
METHOD = (
    "Differences are B minus A, each model at its own active operating point, per study, 95 % intervals clustered by "
    "patient. AUC: DeLong's test as extended by Obuchowski. Rates: Newcombe's method 10 with the effective number of "
    "cases; of one model Clopper-Pearson likewise. A criterion is met when the lower end of its interval, or its value "
    "where the plan says so, reaches what the plan needs. All must be met, so none is adjusted for there being several "
    "(Berger 1982)."
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared; `recorded` says of each run whether this installation measured and recorded it."""

    plan: Plan
    locked: LockedPlan
    runs: tuple[Run, Run]
    recorded: tuple[bool, bool]
    cases: Cases
    at: datetime


def verdict_document(comparison: Comparison) -> dict[str, object]:
    """Return the verdict with everything that it rests on."""
    plan, cases, answered = comparison.plan, comparison.cases, comparison.cases.answered
    found = [one for criterion in plan.criteria for one in judge(criterion, cases, plan.missing)]
    judged = [one for one in found if one.met is not None]
    undecided = [one.name for one in plan.criteria if one not in [done.criterion for done in judged]]
    accepted = all(one.met for one in judged) and not undecided
    return {
        "verdict": ACCEPTED if accepted else REFUSED,
        "accepted": accepted,
        "plan": {
            "name": plan.name,
            "sha256": comparison.locked.sha256,
            "modification": plan.modification,
            "acceptance": plan.acceptance,
            "locked_by": comparison.locked.locked_by,
            "locked_at": comparison.locked.locked_at.isoformat(),
        },
        "dataset": comparison.runs[A].document["dataset"],
        "dataset_digest": comparison.runs[A].document["dataset_digest"],
        "a": _run_object(comparison, A),
        "b": _run_object(comparison, B),
        "cases": {
            "n": len(cases.truth),
            "n_positive": int(cases.truth.sum()),
            "n_patients": len(set(cases.patients.tolist())),
            "both_answered": int((answered[A] & answered[B]).sum()),
            "only_a_answered": int((answered[A] & ~answered[B]).sum()),
            "only_b_answered": int((~answered[A] & answered[B]).sum()),
            "neither_answered": int((~answered[A] & ~answered[B]).sum()),
            "missing_counts_as": plan.missing.value,
        },
        "criteria": [_object(one) for one in judged],
        "too_small_to_judge": [_object(one) for one in found if one.met is None],
        "caveats": [
            *(f"{name}: every subgroup is too small to judge, so it is not met" for name in undecided),
            *_caveats(comparison),
        ],
        "method": METHOD,
        "decided_at": comparison.at.isoformat(timespec="seconds"),
    }


def _run_object(comparison: Comparison, which: int) -> dict[str, object]:
    run = comparison.runs[which]
    keys = ("bundle", "bundle_version", "bundle_digest", "device", "provider", "measured_at", "environment")
    known = {key: run.document.get(key) for key in keys}
    return {**known, "predictions_sha256": run.predictions_sha256, "recorded_here": comparison.recorded[which]}


def _object(one: Judged) -> dict[str, object]:
    criterion, estimate = one.criterion, one.estimate
    return {
        "name": criterion.name,
        "measure": criterion.measure.value,
        "of": criterion.of.value,
        "subgroup": one.subgroup or None,
        "n": one.n,
        "n_patients": one.patients,
        "a": _round(one.figures[A]),
        "b": _round(one.figures[B]),
        "value": _round(estimate.value),
        "ci95": _rounded(estimate.interval),
        "judged_by": criterion.judged_by.value,
        "needed": criterion.at_least,
        "met": one.met,
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _rounded(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [round(interval[0], 4), round(interval[1], 4)]


def _caveats(comparison: Comparison) -> list[str]:
    found = []
    for name, run in zip("AB", comparison.runs, strict=True):
        seen = _patients_seen(run.document)
        if seen is None:
            found.append(f"{name}: the bundle does not say which patients it was trained on")
        elif seen > 0:
            found.append(f"{name}: was trained on {seen} of the patients; its figures are optimistic")
    if not comparison.recorded[B]:
        found.append("B: its run was not recorded by this installation; the verdict does not open the gate")
    return found


def _patients_seen(document: Mapping[str, object]) -> int | None:
    trained, folds = document.get("n_patients_in_training"), document.get("n_patients_out_of_fold")
    if document.get("trained_on_this_data") is None or not isinstance(trained, int):
        return None
    return max(0, trained - (folds if isinstance(folds, int) else 0))
