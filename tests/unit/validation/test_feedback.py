"""Truth from readers and reports, the correction for who was verified, what to look at, and local calibration."""

from dataclasses import replace
from math import exp, log, sqrt

import numpy as np
import pytest
from scipy import special

from tests.builders import MORNING, STUDY, an_analysis
from triage.errors import InvalidDataset
from triage.reading import Act, ActKind, Answer, Exposure, Verdict
from validation.feedback.document import feedback_document
from validation.feedback.local_calibration import proposals
from validation.feedback.sampling import DIFFER, DISCORDANT, RANDOM, UNCERTAIN, worth_a_look
from validation.feedback.truth import LiveCase, read_reports, readers_truth
from validation.feedback.verification import begg_greenes

FLAG, NO_FLAG = an_analysis(0.9).findings[0], an_analysis(0.1).findings[0]


def said(number, reader, answer, finding=FLAG, kind=ActKind.VERDICT, undoes=None):
    about = (None, None) if answer is Answer.ADD else (finding.code, finding.model)
    verdict = None if answer is None else Verdict(answer, Exposure.ROW, *about)
    return Act(STUDY, 1, reader, kind, MORNING, number, undoes, verdict=verdict)


def a_case(name: str, probability: float, readers=(), report=None, **more) -> LiveCase:
    values = {"patient": name, "site": "", "scanner": "", "threshold": 0.5, **more}
    return LiveCase(name, probability=probability, readers=tuple(readers), report=report, **values)


@pytest.mark.parametrize(
    ("answer", "finding", "truth"),
    [
        (Answer.ACCEPT, FLAG, (True,)),
        (Answer.REJECT, FLAG, (False,)),
        (Answer.MODIFY, FLAG, (True,)),
        (Answer.ACCEPT, NO_FLAG, (False,)),
        (Answer.ADD, NO_FLAG, (True,)),
        (Answer.ADD, FLAG, ()),
    ],
)
def test_what_a_verdict_says_about_the_finding(answer, finding, truth):
    assert readers_truth([said(1, "ann", answer, finding)], finding, spoke_alone=True) == truth


def test_a_missed_finding_names_no_model_so_it_counts_only_where_one_answered():
    assert readers_truth([said(1, "ann", Answer.ADD, NO_FLAG)], NO_FLAG, spoke_alone=False) == ()


def test_the_newest_verdict_of_each_reader_counts_unless_it_was_taken_back():
    acts = [
        said(1, "ann", Answer.ACCEPT),
        said(2, "bob", Answer.ACCEPT),
        said(3, "bob", Answer.REJECT),
        said(4, "cid", Answer.REJECT),
        said(5, "cid", None, kind=ActKind.UNDO, undoes=4),
    ]

    assert sorted(readers_truth(acts, FLAG, spoke_alone=True)) == [False, True]


def test_a_verdict_on_another_version_of_the_model_says_nothing():
    other = replace(FLAG, model=replace(FLAG.model, digest="f" * 64))

    assert readers_truth([said(1, "ann", Answer.ACCEPT, other)], FLAG, spoke_alone=True) == ()


def test_the_final_report_stands_above_readers_who_differ():
    assert a_case("a", 0.9, [True, False]).truth is None
    assert a_case("a", 0.9, [True, False], report=False).truth is False
    assert a_case("a", 0.9, [True, True]).truth is True


def verified_counts():
    """200 flagged, 150 of them verified with 120 positive; 800 not flagged, 40 verified with 4 positive."""
    flagged = np.arange(1000) < 200
    verified = (np.arange(1000) < 150) | ((np.arange(1000) >= 200) & (np.arange(1000) < 240))
    truth = (np.arange(1000) < 120) | ((np.arange(1000) >= 200) & (np.arange(1000) < 204))
    return flagged, verified, truth


def test_the_correction_of_begg_and_greenes_worked_by_hand():
    found = begg_greenes(*verified_counts(), [str(n) for n in range(1000)])

    assert (found.tp, found.fp, found.fn, found.tn) == (120, 30, 4, 36)
    assert found.apparent_sensitivity.value == pytest.approx(120 / 124)
    assert found.apparent_specificity.value == pytest.approx(36 / 66)
    # 0.8 of the flagged fifth and 0.1 of the others are positive: 0.16 / (0.16 + 0.08), and 0.72 / (0.72 + 0.04).
    assert found.sensitivity.value == pytest.approx(2 / 3)
    assert found.specificity.value == pytest.approx(0.72 / 0.76)
    error = sqrt((1 / (1000 * 0.2 * 0.8) + 0.2 / (0.8 * 150) + 0.9 / (0.1 * 40)) * 1000 / 999)
    low, high = (1 / (1 + exp(-(log(2) + sign * 1.959964 * error))) for sign in (-1, 1))
    assert found.sensitivity.interval == pytest.approx((low, high), abs=1e-6)


def test_the_same_studies_twice_in_one_patient_narrow_nothing():
    once = begg_greenes(*verified_counts(), [str(n) for n in range(1000)])
    twice = begg_greenes(*(np.tile(one, 2) for one in verified_counts()), [str(n) for n in range(1000)] * 2)

    assert twice.sensitivity.interval == pytest.approx(once.sensitivity.interval)


def test_the_corrected_interval_covers_where_flags_alone_decide_who_is_verified():
    random, covered = np.random.default_rng(11), 0
    clusters = [str(n) for n in range(2000)]
    for _ in range(2000):
        truth = random.uniform(size=2000) < 0.2
        flagged = random.uniform(size=2000) < np.where(truth, 0.8, 0.1)
        verified = random.uniform(size=2000) < np.where(flagged, 0.9, 0.3)
        low, high = begg_greenes(flagged, verified, truth, clusters).sensitivity.interval
        covered += low <= 0.8 <= high

    assert abs(covered / 2000 - 0.95) <= 0.015


def test_without_verified_studies_on_both_sides_nothing_is_corrected():
    flagged, verified, truth = verified_counts()

    one_sided = begg_greenes(flagged, verified & flagged, truth, ["p"] * 1000)
    no_miss = begg_greenes(flagged, verified, truth & flagged, [str(n) for n in range(1000)])

    assert (one_sided.sensitivity.value, one_sided.reason[:20]) == (None, "no verified study wi")
    assert (no_miss.sensitivity.value, no_miss.sensitivity.interval) == (1.0, None)
    assert no_miss.specificity.interval is not None
    assert "no width" in no_miss.reason


def test_the_studies_to_look_at_come_in_turn_and_are_the_same_each_time():
    cases = [
        a_case("agreed", 0.9, [True]),
        a_case("differ", 0.9, [True, False]),
        a_case("wrong", 0.95, [False]),
        a_case("very-wrong", 0.99, [False]),
        a_case("near", 0.45),
        a_case("far", 0.01),
        a_case("flagged", 0.99),
    ]

    chosen = worth_a_look(cases, 4)

    assert [(one.study, why) for one, why in chosen[:3]] == [
        ("differ", DIFFER), ("very-wrong", DISCORDANT), ("near", UNCERTAIN)
    ]  # fmt: skip
    assert (chosen[3][0].study, chosen[3][1]) in (("far", RANDOM), ("wrong", DISCORDANT))
    assert worth_a_look(cases[::-1], 4) == chosen
    assert "agreed" not in [one.study for one, _ in worth_a_look(cases, 99)]


def live(count: int, seed: int, shift: float, site: str = "east") -> list[LiveCase]:
    """Return cases whose true logit lies `shift` below the one that the model says."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, count)
    truth = random.uniform(size=count) < special.expit(logits - shift)
    return [
        a_case(f"{site}{n}", float(special.expit(logit)), [bool(label)], site=site, scanner="Maker One")
        for n, (logit, label) in enumerate(zip(logits, truth, strict=True))
    ]


def test_a_shifted_scanner_is_mapped_back_with_a_gain_and_a_calibrated_one_is_left():
    found = {one.group: one for one in proposals([*live(800, 1, 2.0), *live(800, 2, 0.0, "west")], 0.9)}

    assert set(found) == {"all", "site: east", "site: west", "scanner: Maker One"}
    east, west = found["site: east"], found["site: west"]
    assert east.intercept == pytest.approx(-2.0, abs=0.4)
    assert east.is_better
    assert (west.is_better, abs(west.intercept) < 0.4) == (False, True)
    assert east.proposed[0].estimate.value == pytest.approx(0.9, abs=0.02)


def test_too_few_of_a_kind_propose_nothing():
    (found,) = proposals([a_case(str(n), 0.9, [n < 19]) for n in range(200)], 0.9)

    assert (found.group, found.now, found.n_positive) == ("all", None, 19)
    assert "needed 20 positives" in found.reason


def test_the_document_of_no_study_and_of_many():
    empty, full = feedback_document([], 5, 0.9), feedback_document(live(300, 3, 1.0), 5, 0.9)

    assert (empty["n_studies"], empty["verification"]["corrected_sensitivity"]) == (0, None)
    assert (full["n_verified"], len(full["look_at"])) == (300, 5)
    assert full["local_calibration"][0]["proposal"]["intercept"] == pytest.approx(-1, abs=0.5)


def test_reports_are_read_and_one_that_comes_twice_is_refused(tmp_path):
    table = tmp_path / "reports.csv"
    table.write_text("StudyInstanceUID,label\n1.2,1\n1.3,0\n1.4,\n")
    assert read_reports(table) == {"1.2": True, "1.3": False}

    table.write_text("StudyInstanceUID,label\n1.2,1\n1.2,0\n")
    with pytest.raises(InvalidDataset, match=r"line 3: StudyInstanceUID: 1.2 a second time"):
        read_reports(table)
