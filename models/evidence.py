"""What speaks for a model: plans that were locked, runs and suites that were measured, verdicts that were reached."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from models.lifecycle import ModelState, RegisteredModel
from models.registry import Origin, full_name
from triage.errors import VerdictNeeded
from triage.findings import ModelIdentity


class EvidenceKind(StrEnum):
    """What has a report."""

    RUN = "runs"
    SUITE = "suites"
    VERDICT = "verdicts"


@dataclass(frozen=True, slots=True)
class LockedPlan:
    """The criteria of a comparison as they were fixed: the text of the plan, its SHA-256, by whom and when."""

    sha256: str
    name: str
    text: str
    locked_by: str
    locked_at: datetime


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """A validation run: which model on which data; `predictions_sha256` is that of its `predictions.csv`.

    `document` is what the command printed.
    """

    model: ModelIdentity
    dataset: str
    dataset_digest: str
    measured_at: datetime
    predictions_sha256: str
    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RunningValidation:
    """A validation that workers of the platform are answering, and how far they are."""

    model: ModelIdentity
    dataset: str
    device: str
    started_at: datetime
    n_studies: int
    n_answered: int


@dataclass(frozen=True, slots=True)
class MeasuredSuite:
    """Whether a model met the criteria of the suite `suite_digest` on the data; `document` is what was printed."""

    model: ModelIdentity
    suite: str
    suite_digest: str
    dataset: str
    dataset_digest: str
    measured_at: datetime
    passed: bool
    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReachedVerdict:
    """Whether a candidate may replace the reference by the plan `plan_sha256`.

    `binding`: the candidate's run is one that this installation recorded; only such a verdict opens the gate.
    """

    candidate: ModelIdentity
    reference: ModelIdentity
    plan_sha256: str
    dataset_digest: str
    accepted: bool
    binding: bool
    decided_by: str
    decided_at: datetime
    document: Mapping[str, Any] = field(repr=False)


def require_verdict(
    model: RegisteredModel, known: Iterable[RegisteredModel], newest: ReachedVerdict | None
) -> ReachedVerdict | None:
    """Return the verdict that lets `model` answer for its task; None for one that ships with Acuity.

    A shipped model carries its figures in its card and was measured before its release. Any other needs its newest
    binding verdict to be "Accepted", against the model that it would replace, if there is one.

    Raises:
        VerdictNeeded: there is none, or it is another one.
    """
    if model.record.origin is Origin.SHIPPED:
        return None
    name, how = full_name(model.record.identity), "needed: `acuity validate compare`, or --without-verdict --reason"
    if newest is None:
        raise VerdictNeeded(f"{name}: no verdict, {how}")
    if not newest.accepted:
        raise VerdictNeeded(f"{name}: Refused at {newest.decided_at:%Y-%m-%d %H:%M} UTC, {how}")
    for one in known:
        serves = one.state is ModelState.ACTIVE and one.record.task == model.record.task
        if serves and one.record.identity not in (newest.reference, model.record.identity):
            raise VerdictNeeded(f"{name}: Accepted against {full_name(newest.reference)}, "
                                f"but {full_name(one.record.identity)} serves, {how}")  # fmt: skip
    return newest
