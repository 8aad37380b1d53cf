"""The gate as a person calls it: lock, compare, and what is refused."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from deploy.cli import main
from deploy.kept_evidence import opened_evidence, record_run
from deploy.settings import read_settings
from models.evidence import MeasuredSuite
from models.registry import find_bundle
from storage.audit import AuditTrail
from tests.integration.test_validation_run import heads  # noqa: F401 (a fixture)
from tests.measured_runs import PLAN, write_dataset, write_run
from tests.model_files import write_version
from triage.audit import AuditAction, verified
from validation.gate.cases import read_run
from validation.reuse_ledger import uses_of

TRUTH = [n % 2 == 0 for n in range(80)]
GOOD = [0.7 + n / 1000 if n % 2 == 0 else 0.3 - n / 1000 for n in range(80)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def acuity(capsys, home, monkeypatch):
    """Call `acuity` and return exit code, standard output and standard error."""
    monkeypatch.setenv("ACUITY_HOME", str(home))

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def data(tmp_path):
    return write_dataset(
        tmp_path / "data", TRUTH, [f"p{n // 2}" for n in range(80)], ["F" if n < 40 else "M" for n in range(80)]
    )


def recorded(folder):
    with opened_evidence(read_settings()) as rows:
        record_run(rows, folder)
    return folder


def write_plan(tmp_path, name, text=PLAN):
    path = tmp_path / "plan.toml"
    path.write_text(text.replace("2.0.0 against 1.0.0", name))
    return path


def test_a_worse_candidate_is_refused_with_the_subgroup_named_and_a_like_one_accepted(acuity, data, tmp_path, home):
    plan = write_plan(tmp_path, "both ways")
    locked = acuity("validate", "lock", plan, "--by", "ann", "--json")
    again = acuity("validate", "lock", plan, "--json")
    a = recorded(write_run(tmp_path / "a", data, GOOD, "1.0.0"))
    like = recorded(write_run(tmp_path / "like", data, [*np.roll(GOOD, 2)], "2.0.0"))
    # Six of the twenty positive men are missed.
    missing_men = [0.1 if n >= 40 and n % 2 == 0 and n < 52 else score for n, score in enumerate(GOOD)]
    worse = recorded(write_run(tmp_path / "worse", data, missing_men, "3.0.0"))

    accepted = acuity(
        "validate", "compare", a, like, "--data", data, "--plan", plan, "--out", tmp_path / "o1", "--json"
    )
    refused = acuity(
        "validate", "compare", a, worse, "--data", data, "--plan", plan, "--out", tmp_path / "o2", "--json"
    )

    assert locked[0] == 0
    assert json.loads(again[1])["locked_at"] == json.loads(locked[1])["locked_at"]
    assert (json.loads(again[1])["locked_by"], json.loads(again[1])["was_locked_before"]) == ("ann", True)
    yes, no = json.loads(accepted[1]), json.loads(refused[1])
    assert (accepted[0], yes["verdict"], yes["caveats"]) == (0, "Accepted", [])
    assert (refused[0], no["verdict"]) == (1, "Refused")
    assert [(one["name"], one["subgroup"]) for one in no["criteria"] if not one["met"]] == [
        ("AUC not worse", None),
        ("no sex loses", "sex: M"),
    ]
    men = next(one for one in no["criteria"] if one["subgroup"] == "sex: M")
    assert (men["value"], men["needed"], men["n"]) == (-0.3, -0.1, 20)
    assert no["cases"]["both_answered"] == no["cases"]["n"] == 80
    assert json.loads((tmp_path / "o2/verdict.json").read_text()) == no
    uses = uses_of(home, no["dataset_digest"])
    assert (uses.decisions, uses.bundles, uses.plans) == (2, 2, 1)
    page = (tmp_path / "o2/verdict.html").read_text()
    assert "✗ not met" in page
    assert "<script" not in page
    _, told, _ = acuity("validate", "compare", a, worse, "--data", data, "--plan", plan, "--out", tmp_path / "o2")
    assert "  NOT met  no sex loses (sex: M): -0.3" in told
    assert told.endswith("  answered 80 (A), 80 (B) of 80 studies; a missing answer counts as worst\n")
    assert uses_of(home, no["dataset_digest"]).decisions == 2


def test_a_plan_that_was_not_locked_changed_or_locked_too_late_is_refused_in_one_line(acuity, data, tmp_path):
    plan = write_plan(tmp_path, "in time")
    a, b = (write_run(tmp_path / name, data, GOOD, version) for name, version in (("a", "1.0.0"), ("b", "5.0.0")))
    early = write_run(tmp_path / "e", data, GOOD, "6.0.0", {"measured_at": "2026-01-01T00:00:00+00:00"})

    def compared(candidate):
        return acuity("validate", "compare", a, candidate, "--data", data, "--plan", plan, "--out", tmp_path / "o")

    unlocked = compared(b)
    acuity("validate", "lock", plan)
    late = compared(early)
    plan.write_text(plan.read_text().replace("-0.05", "-0.5"))
    changed = compared(b)

    for outcome, said in (
        (unlocked, "not locked"),
        (changed, "changed after it was locked"),
        (late, "was measured on"),
    ):
        assert (outcome[0], outcome[1], outcome[2].count("\n")) == (2, "", 1)
        assert said in outcome[2]
    assert not (tmp_path / "o").exists()


def test_a_candidate_that_was_once_measured_before_the_lock_is_refused_though_its_folder_is_gone(
    acuity, data, tmp_path
):
    recorded(write_run(tmp_path / "e", data, GOOD, "7.0.0", {"measured_at": "2026-01-01T00:00:00+00:00"}))
    plan = write_plan(tmp_path, "too late")
    acuity("validate", "lock", plan)
    a, b = (write_run(tmp_path / name, data, GOOD, version) for name, version in (("a", "1.0.0"), ("b", "7.0.0")))

    outcome = acuity("validate", "compare", a, b, "--data", data, "--plan", plan, "--out", tmp_path / "o")

    assert outcome[0] == 2
    assert "2026-01-01" in outcome[2]


def test_a_candidate_that_a_suite_measured_before_the_lock_is_refused(acuity, data, tmp_path):
    a, b = (write_run(tmp_path / name, data, GOOD, version) for name, version in (("a", "1.0.0"), ("b", "7.1.0")))
    run = read_run(b)
    suite = MeasuredSuite(
        model=run.model,
        suite="head",
        suite_digest="a" * 64,
        dataset="made",
        dataset_digest=run.document["dataset_digest"],
        measured_at=datetime(2026, 1, 1, tzinfo=UTC),
        passed=True,
        document={},
    )
    with opened_evidence(read_settings()) as rows:
        rows.record_suite(suite, "")
    plan = write_plan(tmp_path, "after the suite")
    acuity("validate", "lock", plan)

    outcome = acuity("validate", "compare", a, b, "--data", data, "--plan", plan, "--out", tmp_path / "o")

    assert outcome[0] == 2
    assert "2026-01-01" in outcome[2]


def test_other_data_and_a_folder_that_is_no_run_are_refused(acuity, data, tmp_path):
    plan = write_plan(tmp_path, "other data")
    acuity("validate", "lock", plan)
    a = write_run(tmp_path / "a", data, GOOD, "1.0.0")
    other = write_run(tmp_path / "b", data, GOOD, "9.0.0", {"dataset_digest": "0" * 64})
    broken = write_run(tmp_path / "c", data, GOOD, "9.0.0")
    (broken / "result.json").write_text("{}")
    odd = write_run(tmp_path / "d", data, [7.0, *GOOD[1:]], "9.0.0")

    for candidate, said in (
        (other, "B: measured on made 000000000000"),
        (broken, "needed the folder of an earlier"),
        (odd, "study s0: score 7.0"),
    ):
        outcome = acuity("validate", "compare", a, candidate, "--data", data, "--plan", plan, "--out", tmp_path / "o")
        assert (outcome[0], outcome[2].count("\n")) == (2, 1)
        assert said in outcome[2]


def test_a_run_of_another_installation_is_compared_but_binds_nothing(acuity, data, tmp_path):
    plan = write_plan(tmp_path, "from elsewhere")
    acuity("validate", "lock", plan)
    a = recorded(write_run(tmp_path / "a", data, GOOD, "1.0.0"))
    b = write_run(tmp_path / "b", data, GOOD, "8.0.0", {"trained_on_this_data": True, "n_patients_in_training": 3})

    code, printed, _ = acuity(
        "validate", "compare", a, b, "--data", data, "--plan", plan, "--out", tmp_path / "o", "--json"
    )

    assert code == 0
    assert json.loads(printed)["b"]["recorded_here"] is False
    assert [one[:2] for one in json.loads(printed)["caveats"]] == ["B:", "B:"]
    with opened_evidence(read_settings()) as rows:
        assert rows.newest_verdict(json.loads(printed)["b"]["bundle_digest"]) is None


def test_a_subgroup_that_no_case_has_is_refused_and_one_that_is_too_small_everywhere_decides_nothing(
    acuity, data, tmp_path
):
    a = write_run(tmp_path / "a", data, GOOD, "1.0.0")
    outcomes = []
    for change, name in (('"scanner"', "unknown column"), ('"sex"', "small groups")):
        text = PLAN.replace('"sex"', change).replace("minimum_cases = 5", "minimum_cases = 50")
        plan = write_plan(tmp_path, name, text)
        acuity("validate", "lock", plan)
        again = write_run(tmp_path / name, data, GOOD, f"{len(outcomes)}.9.0")
        outcomes.append(
            acuity("validate", "compare", a, again, "--data", data, "--plan", plan, "--out", tmp_path / "o", "--json")
        )

    assert (outcomes[0][0], outcomes[0][2].count("\n")) == (2, 1)
    assert "no study has a scanner" in outcomes[0][2]
    assert outcomes[1][0] == 1
    assert json.loads(outcomes[1][1])["caveats"][0].startswith("no sex loses: every subgroup is too small")


@pytest.mark.timeout(240)
def test_an_installed_version_is_measured_accepted_and_activated_and_the_chain_says_why(
    acuity,
    heads,  # noqa: F811
    tmp_path,
):
    archive = write_version(tmp_path, "2.0.0")
    text = PLAN.split('[[criteria]]\nname = "no sex')[0].replace("-0.05", '0.0\njudged_by = "value"')
    plan = write_plan(tmp_path, "drawn heads", text)
    model, newer = "ct-head-haemorrhage", "ct-head-haemorrhage@2.0.0"
    assert acuity("models", "install", archive)[0] == 0
    assert acuity("validate", "lock", plan)[0] == 0
    unjudged = acuity("models", "activate", newer)
    without_reason = acuity("models", "activate", newer, "--without-verdict")

    verdict = acuity(
        "validate", "compare", model, newer, "--data", heads, "--plan", plan, "--out", tmp_path / "o", "--json"
    )
    activated = acuity("models", "activate", newer, "--json")
    shipped_again = acuity("models", "activate", f"{model}@{find_bundle(model).identity.version}")
    against_another = acuity("models", "activate", newer, "--without-verdict", "--reason", "trial", "--by", "ann")

    for refused, said in ((unjudged, "no verdict"), (without_reason, "needed --reason TEXT")):
        assert (refused[0], refused[1], refused[2].count("\n")) == (2, "", 1)
        assert said in refused[2]
    document = json.loads(verdict[1])
    assert (verdict[0], document["verdict"], document["cases"]["neither_answered"]) == (0, "Accepted", 1)
    assert sorted(one.name for one in (tmp_path / "o").iterdir()) == ["a", "b", "verdict.html", "verdict.json"]
    assert (activated[0], json.loads(activated[1])["state"]) == (0, "active")
    assert (shipped_again[0], against_another[0]) == (0, 0)
    with opened_evidence(read_settings()) as rows:
        chain = list(AuditTrail(rows.engine).every())
    said = [dict(one.event.details) for one in chain if one.event.action is AuditAction.MODEL_ACTIVATED]
    assert [one["verdict"] for one in said] == [
        f"Accepted by {document['plan']['sha256']}",
        "shipped with its figures",
        "none",
    ]
    assert said[2]["reason"] == "trial"
    assert verified(chain).is_whole
