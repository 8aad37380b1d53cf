"""`acuity validate feedback`: what readers and final reports say about the models in service."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.bundles import load_registered
from deploy.model_commands import identity_of, name_of, print_answer, registry
from deploy.settings import Settings
from models.bundle import Bundle
from models.lifecycle import ModelState, RegisteredModel, choose
from models.recalibrated import Recalibration, write_recalibrated
from storage.feedback import LiveAnswer, live_answers
from triage.errors import InvalidDataset, InvalidSetting
from triage.reading import leading_finding
from validation.feedback.document import feedback_document
from validation.feedback.local_calibration import ALL, Proposal, proposals
from validation.feedback.truth import LiveCase, read_reports, readers_truth


def report_feedback(options: argparse.Namespace) -> int:
    """Print agreement, corrected rates, studies to look at and proposals, for each active model or for one."""
    if options.write is not None and not options.model:
        raise InvalidSetting("validate feedback: --write without --model, needed the model whose new version to write")
    reports = {} if options.reports is None else read_reports(options.reports)
    with registry(options) as (settings, rows):
        active = frozenset({ModelState.ACTIVE})
        known = [choose(options.model, rows.all(), active)] if options.model else rows.active()
        answer: list[dict[str, Any]] = []
        for model in known:
            cases = [_case(one, reports) for one in live_answers(rows.engine, model.record.identity.digest)]
            found = feedback_document(cases, options.sample, options.sensitivity)
            answer.append({**identity_of(model), "task": model.record.task, **found})
            if options.write is not None:
                written = _write(settings, model, proposals(cases, options.sensitivity), options.write)
                answer[-1]["written"] = {"file": str(options.write), **asdict(written.identity)}
        names = [name_of(one) for one in known]
    told = "\n\n".join(f"{name}\n{json.dumps(one, indent=2)}" for name, one in zip(names, answer, strict=True))
    print_answer(options, {"models": answer}, told)
    return 0


def _write(settings: Settings, model: RegisteredModel, found: Sequence[Proposal], archive: Path) -> Bundle:
    """Write a new version of `model` with the proposal for all studies; raises InvalidDataset where there is none."""
    proposal = next((one for one in found if one.group == ALL), None)
    if proposal is None or proposal.now is None:
        reason = "no verified study" if proposal is None else proposal.reason
        raise InvalidDataset(f"{name_of(model)}: nothing to propose: {reason}")
    change = Recalibration(proposal.slope, proposal.intercept, proposal.threshold)
    return write_recalibrated(load_registered(model, settings), change, archive)


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
