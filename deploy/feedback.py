"""`acuity validate feedback`: what readers and final reports say about the models in service."""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from deploy.model_commands import identity_of, name_of, print_answer, registry
from models.lifecycle import ModelState, choose
from storage.feedback import LiveAnswer, live_answers
from triage.reading import leading_finding
from validation.feedback.document import feedback_document
from validation.feedback.truth import LiveCase, read_reports, readers_truth


def report_feedback(options: argparse.Namespace) -> int:
    """Print agreement, corrected rates, studies to look at and proposals, for each active model or for one."""
    reports = {} if options.reports is None else read_reports(options.reports)
    with registry(options) as (_, rows):
        active = frozenset({ModelState.ACTIVE})
        known = [choose(options.model, rows.all(), active)] if options.model else rows.active()
        answer: list[dict[str, Any]] = []
        for model in known:
            cases = [_case(one, reports) for one in live_answers(rows.engine, model.record.identity.digest)]
            found = feedback_document(cases, options.sample, options.sensitivity)
            answer.append({**identity_of(model), "task": model.record.task, **found})
        names = [name_of(one) for one in known]
    told = "\n\n".join(f"{name}\n{json.dumps(one, indent=2)}" for name, one in zip(names, answer, strict=True))
    print_answer(options, {"models": answer}, told)
    return 0


def _case(one: LiveAnswer, reports: Mapping[str, bool]) -> LiveCase:
    finding = leading_finding(one.analysis.findings)
    assert finding is not None
    uid, series = one.header.study_instance_uid, one.series
    return LiveCase(
        study=uid,
        patient=one.header.patient_id or uid,
        site=one.header.institution_name,
        scanner=" ".join(filter(None, (series.manufacturer, series.model_name))),
        probability=finding.probability,
        threshold=finding.threshold,
        readers=readers_truth(one.acts, finding, one.models == 1),
        report=reports.get(uid),
    )
