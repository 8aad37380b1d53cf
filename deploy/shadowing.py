"""`acuity models shadow-report`: what a model in the shadow said beside the one in service."""

import argparse
from typing import Any

from deploy.model_commands import identity_of, name_of, print_answer, registry
from models.lifecycle import ModelState, choose
from storage.shadow import LivePair, live_pairs
from triage.findings import Analysis
from triage.reading import leading_finding
from validation.shadow_comparison import Pair, Said, shadow_document

IN_THE_SHADOW = frozenset({ModelState.SHADOW})


def report_shadow(options: argparse.Namespace) -> int:
    """Print agreement and would-have-changed studies of one model, from all that it saw in the shadow."""
    with registry(options) as (_, rows):
        model = choose(options.model, rows.all(), IN_THE_SHADOW)
        pairs = live_pairs(rows.engine, model)
    found = shadow_document([_pair(one) for one in pairs])
    answer = {**identity_of(model), "task": model.record.task, "state": model.state.value, **found}
    print_answer(options, answer, None if options.json else _told(name_of(model), found))
    return 0


def _pair(live: LivePair) -> Pair:
    uid = live.shadow.study_instance_uid
    return Pair(uid, live.header.patient_id or uid, _said(live.served), _said(live.shadow.analysis), live.shadow.reason)


def _said(analysis: Analysis | None) -> Said | None:
    finding = None if analysis is None else leading_finding(analysis.findings)
    if finding is None:
        return None
    return Said(f"{finding.model.name} {finding.model.version}", finding.probability, finding.flagged)


def _told(name: str, found: dict[str, Any]) -> str:
    agreement = found["agreement"]
    lines = [
        f"{name}: {found['n_studies']} studies, both answered {found['both_answered']}",
        f"flags: both {agreement['both_flag']}, only served {agreement['only_served_flags']}, "
        f"only shadow {agreement['only_shadow_flags']}, neither {agreement['neither_flags']}",
        f"kappa: {agreement['kappa'] or agreement['reason']}",
        f"difference of probabilities: {found['score_difference']}",
        *(f"{one['change']:16}  {one['study_instance_uid']}" for one in found["would_have_changed"]),
    ]
    return "\n".join(lines)
