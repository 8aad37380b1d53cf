"""How the AUC declines as images get worse: the same cases with and without an alteration."""

import numpy as np

from validation.asking import Asked, Asker
from validation.discrimination import roc_area
from validation.result_document import Json, area_object
from validation.statistics.comparison import paired_difference
from validation.statistics.scored_cases import ScoredCases
from validation.suites.alterations import KINDS, ORIENTATION, alteration
from validation.suites.chosen_cases import cases_of, common_cases, subset
from validation.suites.part_result import PartResult, difference_object, rounded
from validation.suites.suite_file import Robustness


def robustness(asker: Asker, plan: Robustness, seed: int) -> PartResult:
    """Return one curve for each kind: AUC and paired difference with interval, clustered by patient, and refusals.

    A difference counts the cases that were answered both ways. The intervals are not adjusted for their number.
    """
    studies = subset(asker.subject.dataset, plan.positive, plan.negative, seed)
    unaltered = asker.ask("unaltered", studies)
    curves: dict[str, Json] = {}
    findings = []
    for kind, severities in plan.severities.items():
        points: list[Json] = []
        for severity in severities:
            change = alteration(kind, severity, seed, plan.noise_at_full_dose)
            # The noise is part of the question: with another amount the answers are other ones.
            amount = f" of {plan.noise_at_full_dose}" if kind == "noise" else ""
            altered = asker.ask(f"{kind} {severity}{amount} seed {seed}", studies, change)
            point = _compared(unaltered, altered, asker)
            points.append({"severity": severity, **point})
            if kind not in ORIENTATION and (said := _said(kind, severity, point, plan.tolerance)):
                findings.append(said)
        curves[kind] = points
    base = cases_of(unaltered.answers, asker.subject.unit)
    figures: dict[str, Json] = {
        "unit": asker.subject.unit,
        "n_studies": len(studies),
        "unaltered_auc": area_object(roc_area(base.truth.tolist(), base.scores.tolist(), base.clusters)),
        "units_of_severity": {kind: KINDS[kind] for kind in plan.severities},
        "tolerance": plan.tolerance,
        "curves": curves,
        "worst_difference": min(_differences(curves), default=None),
    }
    return PartResult(figures, tuple(findings))


def _compared(unaltered: Asked, altered: Asked, asker: Asker) -> dict[str, Json]:
    unit, threshold = asker.subject.unit, asker.subject.bundle.spec.active.threshold
    before, after = common_cases(cases_of(unaltered.answers, unit), cases_of(altered.answers, unit))
    found = paired_difference(before, after) if len(before.names) else None
    return {
        "n": len(before.names),
        "auc": rounded(found.auc_b) if found else None,
        **(difference_object(found) if found else {"difference": None, "ci95": None}),
        "mean_score_change": rounded(float(np.mean(after.scores - before.scores))) if len(before.names) else None,
        "n_refused": len(altered.refused),
        "flags_lost": _crossed(before, after, threshold),
        "flags_new": _crossed(after, before, threshold),
    }


def _crossed(one: ScoredCases, other: ScoredCases, threshold: float) -> int:
    return int(((one.scores >= threshold) & (other.scores < threshold)).sum())


def _said(kind: str, severity: float, point: dict[str, Json], tolerance: float) -> str | None:
    difference, ci95 = point["difference"], point["ci95"]
    if not isinstance(ci95, list) or not isinstance(ci95[1], float) or ci95[1] >= -tolerance:
        return None
    change = f"AUC {difference:+} ({ci95[0]} to {ci95[1]}) beside the unaltered images"
    return f"not robust: {kind} {severity:g} ({KINDS[kind]}): {change}, surely a loss above {tolerance}"


def _differences(curves: dict[str, Json]) -> list[float]:
    return [
        point["difference"]
        for kind, points in curves.items()
        if kind not in ORIENTATION and isinstance(points, list)
        for point in points
        if isinstance(point, dict) and isinstance(point["difference"], float)
    ]
