"""Which verdict lets a model answer for its task."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from models.evidence import ReachedVerdict, require_verdict
from models.lifecycle import ModelRecord, ModelState, RegisteredModel
from models.registry import Origin
from tests.builders import HEAD_CT
from triage.errors import VerdictNeeded
from triage.findings import ModelIdentity

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def a_model(version: str, state=ModelState.DRAFT, origin=Origin.INSTALLED, task="bleeding") -> RegisteredModel:
    identity = ModelIdentity("head", version, version.replace(".", "") * 20)
    return RegisteredModel(1, ModelRecord(identity, task, "CC0", origin, "/m", (), HEAD_CT), state, NOW)


SERVES, CANDIDATE = a_model("1.0.0", ModelState.ACTIVE), a_model("2.0.0")
VERDICT = ReachedVerdict(
    CANDIDATE.record.identity, SERVES.record.identity, "0" * 64, "1" * 64, True, True, "ann", NOW, {}
)


def test_an_accepted_verdict_against_the_model_that_serves_opens_the_gate():
    assert require_verdict(CANDIDATE, [SERVES, CANDIDATE], VERDICT) is VERDICT


def test_a_shipped_model_needs_none():
    assert require_verdict(a_model("2.0.0", origin=Origin.SHIPPED), [SERVES], None) is None


def test_a_verdict_against_another_model_does_not_count_while_one_serves():
    other_task = a_model("3.0.0", ModelState.ACTIVE, task="fracture")
    verdict = replace(VERDICT, reference=a_model("0.9.0").record.identity)

    assert require_verdict(CANDIDATE, [other_task], verdict) is verdict
    with pytest.raises(VerdictNeeded, match=r"Accepted against head@0.9.0-.*, but head@1.0.0-.* serves"):
        require_verdict(CANDIDATE, [SERVES], verdict)


def test_no_verdict_and_a_refusal_are_told_apart():
    with pytest.raises(VerdictNeeded, match="no verdict"):
        require_verdict(CANDIDATE, [SERVES], None)
    with pytest.raises(VerdictNeeded, match="Refused at 2026-01-02 03:04 UTC"):
        require_verdict(CANDIDATE, [SERVES], replace(VERDICT, accepted=False))
