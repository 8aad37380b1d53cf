"""`acuity validate feedback` on a real database: a triaged study, a reader's verdict, a final report."""

import json

import pytest

from deploy.cli import main
from models.lifecycle import Decision, ModelAction, ModelRecord, ModelState
from models.registry import Origin
from storage.model_registry import ModelRows
from tests.builders import HEAD_CT, MODEL, MORNING, STUDY, an_analysis
from tests.integration.test_workflow import ScriptedAnalyser, receive, the_study
from triage.priority import TargetTimes
from triage.reading import Act, ActKind, Answer, Exposure, Verdict
from triage.workflow import Triage


@pytest.fixture
def feedback(engine, database_url, receiving, transactions, clock, tmp_path, monkeypatch, capsys):
    """A flagged study that a reader rejected; returns a function that calls the command."""
    rows, decision = ModelRows(engine), Decision("ann", MORNING, "")
    rows.register([ModelRecord(MODEL, "bleeding", "CC0", Origin.INSTALLED, "/m", (), HEAD_CT)], decision)
    rows.move(rows.all()[0].id, ModelState.ACTIVE, ModelAction.ACTIVATE, decision)
    receive(receiving, *range(6))
    clock.forward(seconds=6)
    receiving.close_quiet_studies()
    analysis = an_analysis(0.9)
    Triage(transactions, clock, ScriptedAnalyser([analysis]), TargetTimes()).triage_study(STUDY, 1)
    verdict = Verdict(Answer.REJECT, Exposure.IMAGES, analysis.findings[0].code, MODEL)
    with transactions.begin() as records:
        records.reading.add(Act(STUDY, 1, "ann", ActKind.VERDICT, MORNING, verdict=verdict))
    monkeypatch.setenv("ACUITY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ACUITY_DATABASE_URL", database_url)

    def call(*arguments: object):
        code = main(["validate", "feedback", "--model", f"{MODEL.name}@{MODEL.version}", *map(str, arguments)])
        return code, capsys.readouterr()

    return call


def test_a_rejected_flag_is_a_false_alarm_until_the_final_report_says_otherwise(feedback, tmp_path, transactions):
    before = the_study(transactions)
    (tmp_path / "reports.csv").write_text(f"StudyInstanceUID,label\n{STUDY},1\n")

    by_reader = feedback("--json")
    by_report = feedback("--reports", tmp_path / "reports.csv", "--json")

    assert (by_reader[0], by_report[0]) == (0, 0)
    (first,), (second,) = (json.loads(one[1].out)["models"] for one in (by_reader, by_report))
    assert first["verification"]["flagged"] == {"n": 1, "verified": 1, "tp": 0, "fp": 1}
    assert first["look_at"][0]["why"] == "a person and the model differ"
    assert second["verification"]["flagged"] == {"n": 1, "verified": 1, "tp": 1, "fp": 0}
    assert (second["by_report"], second["look_at"][0]["why"][:13]) == (1, "people differ")
    assert the_study(transactions) == before


def test_a_table_of_reports_that_is_none_is_refused_in_one_line(feedback, tmp_path):
    (tmp_path / "reports.csv").write_text("study,label\n1,1\n")

    code, said = feedback("--reports", tmp_path / "reports.csv", "--json")

    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "column StudyInstanceUID absent" in said.err


def test_without_enough_truth_there_is_nothing_to_write(feedback, tmp_path):
    code, said = feedback("--write", tmp_path / "new.zip", "--json")

    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "nothing to propose: needed 20 positives" in said.err
    assert not (tmp_path / "new.zip").exists()
