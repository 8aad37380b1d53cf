"""Runs, suites and verdicts through the API, and what a browser lets their reports do."""

from datetime import UTC, datetime

import httpx
import pytest

from models.evidence import LockedPlan, MeasuredRun, MeasuredSuite, ReachedVerdict
from models.lifecycle import Decision, ModelRecord
from models.registry import Origin
from storage.evidence import EvidenceRows
from storage.validation_work import AskedOfWorkers, ValidationWork
from tests.browser.department import services_on
from tests.browser.serving import running
from tests.builders import HEAD_CT
from tests.integration.test_worklist_api import QUICK, with_role
from triage.audit import Actor, AuditAction, AuditEvent
from triage.errors import PdfUnavailable
from triage.findings import ModelIdentity
from validation.page import html_page
from worklist.app import create_app
from worklist.roles import Role

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
OLD, NEW = ModelIdentity("head", "1.0.0", "1" * 64), ModelIdentity("head", "2.0.0", "2" * 64)
EVENT = AuditEvent(NOW, Actor("ann", "command line"), AuditAction.VERDICT_REACHED)
DOCUMENT = {
    "verdict": "Refused",
    "dataset": "made",
    "plan": {"name": "2 against 1"},
    "criteria": [{"name": "AUC", "subgroup": None, "met": True}, {"name": "rate", "subgroup": "sex: M", "met": False}],
}
SUITE = {
    "device": "cpu",
    "criteria": [
        {"part": "gate", "figure": "n_findings", "at_least": None, "at_most": 0, "value": 1, "met": False},
    ],
    "findings": [{"part": "gate", "said": "gate: ct_ich: 4 of 5 refused, at least 90%"}],
}


@pytest.fixture
def services(engine):
    rows = EvidenceRows(engine)
    rows.lock(LockedPlan("f" * 64, "2 against 1", "text", "ann", NOW), EVENT)
    for version, model in enumerate((OLD, NEW), start=1):
        document = {"n_studies": 7, "study_auc": {"value": 0.9, "ci95": [0.8, 0.95]}}
        run = MeasuredRun(model, "made", "d" * 64, NOW, "e" * 64, document)
        rows.record_run(run, html_page(f"run {version}", "", ["<script>x</script>"]))
    suite = MeasuredSuite(NEW, "head", "a" * 64, "made", "d" * 64, NOW, False, SUITE)
    rows.record_suite(suite, html_page("suite", "", []))
    verdict = ReachedVerdict(NEW, OLD, "f" * 64, "d" * 64, False, True, "ann", NOW, DOCUMENT)
    rows.record_verdict(verdict, html_page("verdict", "", []), EVENT)
    return services_on(engine)


@pytest.fixture
def client(services):
    with running(create_app(services, QUICK)) as url:
        headers = with_role(services, Role.AUDITOR)
        with httpx.Client(base_url=url, headers=headers) as client:
            yield client


def test_the_newest_come_first_with_their_reports(client):
    found = client.get("/api/v1/validations").json()

    assert [one["model"]["version"] for one in found["runs"]] == ["2.0.0", "1.0.0"]
    assert (found["runs"][0]["n_studies"], found["runs"][0]["study_auc"]["value"]) == (7, 0.9)
    (verdict,) = found["verdicts"]
    assert (verdict["verdict"], verdict["binding"], verdict["not_met"]) == ("Refused", True, ["rate sex: M"])
    assert verdict["criteria"] == DOCUMENT["criteria"]
    (suite,) = found["suites"]
    assert (suite["suite"], suite["passed"], suite["model"]["version"]) == ("head", False, "2.0.0")
    assert (suite["criteria"], suite["findings"]) == (SUITE["criteria"], SUITE["findings"])
    assert "<h1>run 2</h1>" in client.get(found["runs"][0]["report"]).text
    assert "<h1>suite</h1>" in client.get(suite["report"]).text
    assert "<h1>verdict</h1>" in client.get(verdict["report"]).text
    assert len(client.get("/api/v1/validations?limit=1").json()["runs"]) == 1


def test_what_workers_are_answering_is_shown_with_how_far_they_are(client, services):
    work = ValidationWork(services.evidence.engine)
    number = work.begin(AskedOfWorkers(NEW, "made", "d" * 64, "/data/made", "cpu", 1, {}), ["a", "b", "c"])
    work.record(number, "b", "{}")

    (one,) = client.get("/api/v1/validations").json()["running"]
    work.end(number)
    ended = client.get("/api/v1/validations").json()["running"]

    assert (one["model"]["version"], one["dataset"], one["device"]) == ("2.0.0", "made", "cpu")
    assert (one["n_answered"], one["n_studies"], ended) == (1, 3, [])


def test_a_card_tells_what_was_measured_of_its_model_and_of_no_other(client, services, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/README.md").write_text("# Card\n")
    record = ModelRecord(NEW, "haemorrhage", "CC0", Origin.SHIPPED, str(tmp_path), (), HEAD_CT)
    services.models.register([record], Decision("ann", services.clock.now(), ""))
    (model,) = client.get("/api/v1/models", headers=with_role(services, Role.OPERATOR)).json()["models"]

    card = client.get(f"/api/v1/models/{model['id']}/card", headers=with_role(services, Role.OPERATOR)).text

    run = client.get("/api/v1/validations").json()["runs"][0]
    assert card.startswith("# Card\n\n## Measured on this installation\n")
    assert f"study AUC {run['study_auc']['value']:.3f} (0.800 to 0.950)" in card
    assert [card.count(one) for one in ("- Run on", "- Suite", "- Compared with")] == [1, 1, 1]


def test_a_report_may_use_its_own_style_and_nothing_else(client):
    answer = client.get("/api/v1/validations/runs/1/report")

    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert ("unsafe" in policy, "script-src" in policy, policy.endswith("sandbox")) == (False, False, True)
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == (
        "text/html; charset=utf-8",
        "nosniff",
    )


def test_a_report_is_printed_where_pango_is_installed(client, services):
    try:
        expected = services.as_pdf("<p>x</p>")[:5]
    except PdfUnavailable:
        assert client.get("/api/v1/validations/runs/1/report.pdf").status_code == 501
        return

    answer = client.get("/api/v1/validations/runs/1/report.pdf")

    assert (answer.headers["content-type"], answer.content[:5], expected) == ("application/pdf", b"%PDF-", b"%PDF-")
    assert client.get("/api/v1/validations/runs/9/report.pdf").status_code == 404


def test_a_report_that_is_not_there_is_not_found(client):
    assert client.get("/api/v1/validations/verdicts/99/report").status_code == 404
    assert client.get("/api/v1/validations/others/1/report").status_code == 422
