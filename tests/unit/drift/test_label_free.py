"""Performance without labels: expected counts, prevalence, intervals, and what they do when only prevalence moves."""

import json

import numpy as np
import pytest
from scipy import stats

from deploy.cli import main
from validation.drift.label_free import (
    Reference,
    calibrate,
    estimate_periods,
    estimated_prevalence,
    expected_metrics,
    with_prevalence,
)


def drawn(random, n, prevalence, separation=2.0):
    """Scores whose positives lie `separation` standard deviations above the negatives."""
    truth = random.random(n) < prevalence
    return truth, 1 / (1 + np.exp(1 - random.normal(size=n) - separation * truth))


def true_ppv(prevalence, separation=2.0):
    """A score of 0.5 is a normal value of 1."""
    hits, alarms = prevalence * stats.norm.sf(1 - separation), (1 - prevalence) * stats.norm.sf(1)
    return hits / (hits + alarms)


def test_isotonic_calibration_pools_what_runs_backwards():
    # Shares 0, 1, 0, 1 at scores 1, 2, 3, 4: the middle two are pooled to 1/2.
    found = calibrate(np.array([False, True, False, True]), np.array([1.0, 2.0, 3.0, 4.0]))

    assert found.of(np.array([0.0, 1.0, 2.0, 3.0, 3.5, 4.0, 9.0])) == pytest.approx([0, 0, 0.5, 0.5, 0.75, 1, 1])


def test_equal_scores_share_one_level():
    found = calibrate(np.array([False, True, True]), np.array([1.0, 1.0, 1.0]))

    assert found.of(np.array([0.3, 1.0])) == pytest.approx([2 / 3, 2 / 3])


def test_expected_counts_are_the_hand_calculation():
    # Flagged .8 and .6: TP 1.4, FP .6; not flagged .3 and .1: FN .4, TN 1.6.
    # Pairs: positives (.8, .6, .3, .1), negatives (.2, .4, .7, .9), all distinct scores:
    # .8(.4+.7+.9+.1) + .6(.7+.9+.2) + .3(.9+.35) + .1(.45) = 1.68 + 1.08 + .375 + .045 = 3.18 of 1.8 * 2.2.
    found = expected_metrics(np.array([0.8, 0.6, 0.3, 0.1]), np.array([0.9, 0.7, 0.4, 0.2]), 0.5)

    assert found["sensitivity"] == pytest.approx(1.4 / 1.8)
    assert found["specificity"] == pytest.approx(1.6 / 2.2)
    assert found["ppv"] == pytest.approx(0.7)
    assert found["auc"] == pytest.approx(3.18 / 3.96)


def test_the_estimated_prevalence_is_where_em_ends():
    random = np.random.default_rng(2)
    calibrated, before = random.beta(1, 4, 500), 0.3

    share = before
    for _ in range(5000):
        share = float(with_prevalence(calibrated, before, share).mean())

    assert estimated_prevalence(calibrated, before) == pytest.approx(share, abs=1e-7)


def test_scores_of_one_kind_of_case_give_its_prevalence():
    assert estimated_prevalence(np.zeros(10), 0.3) == 0.0
    assert estimated_prevalence(np.ones(10), 0.3) == 1.0


def test_scores_that_tell_nothing_give_no_prevalence():
    reference = Reference(np.array([True, False, False, True]), np.full(4, 0.4))

    (found,) = estimate_periods(reference, {"all": np.full(6, 0.4)}, 0.5, draws=60, seed=1)

    assert found.corrected["prevalence"] == (None, None)
    assert found.corrected["auc"][0] == pytest.approx(0.5)
    assert found.corrected["ppv"] == (None, None)
    assert found.alarms == ()


def test_a_third_of_the_prevalence_moves_ppv_alone_and_is_estimated():
    random = np.random.default_rng(7)
    reference = Reference(*drawn(random, 12_000, 0.30))
    truth, scores = drawn(random, 12_000, 0.10)

    (found,) = estimate_periods(reference, {"all": scores}, 0.5, draws=50, seed=1)

    realised = truth[scores >= 0.5].mean()
    assert found.corrected["prevalence"][0] == pytest.approx(0.10, abs=0.01)
    assert found.corrected["ppv"][0] == pytest.approx(realised, abs=0.03)
    assert found.corrected["ppv"][0] == pytest.approx(true_ppv(0.10), abs=0.03)
    assert found.corrected["sensitivity"][0] == pytest.approx(stats.norm.sf(-1), abs=0.02)
    assert found.alarms == ()
    # What the correction is for: without it ppv is more than 0.15 too high and sensitivity too low.
    assert found.uncorrected["ppv"][0] > realised + 0.15
    assert found.uncorrected["sensitivity"][0] < stats.norm.sf(-1) - 0.05


def test_intervals_cover_the_truth_and_prevalence_alone_gives_no_alarm():
    random, covered, alarms = np.random.default_rng(8), 0, 0
    for run in range(40):
        reference = Reference(*drawn(random, 1000, 0.30))
        (found,) = estimate_periods(reference, {"all": drawn(random, 800, 0.10)[1]}, 0.5, draws=50, seed=run)
        low, high = found.corrected["ppv"][1]
        covered += low <= true_ppv(0.10) <= high
        alarms += bool(found.alarms)

    assert covered >= 33
    assert alarms <= 5


def test_scores_that_no_longer_tell_the_kinds_apart_alarm():
    random = np.random.default_rng(9)
    reference = Reference(*drawn(random, 3000, 0.30))

    (found,) = estimate_periods(reference, {"all": drawn(random, 3000, 0.30, 0.7)[1]}, 0.5, draws=50, seed=1)

    assert "auc" in found.alarms


def csv(path, header, rows):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
    return str(path)


def test_the_command_answers_per_period_with_and_without_correction(tmp_path, capsys):
    random = np.random.default_rng(4)
    truth, scores = drawn(random, 400, 0.3)
    rows = [(int(one), score) for one, score in zip(truth, scores, strict=True)]
    reference = csv(tmp_path / "r.csv", "truth,score", [*rows, ("", 0.5), (1, "")])
    production = [("may" if n < 150 else "june", score) for n, score in enumerate(drawn(random, 300, 0.1)[1])]
    path = csv(tmp_path / "p.csv", "period,score", [*production, ("june", "")])
    words = ["drift", "label-free", "--reference", reference, "--production", path, "--bootstrap", "60", "--json"]

    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(words) == 0
    again = json.loads(capsys.readouterr().out)

    assert [one["period"] for one in found["periods"]] == ["may", "june"]
    assert [one["n"] for one in found["periods"]] == [150, 150]
    assert (found["reference"]["n"], found["reference"]["left_out"], found["left_out"]) == (400, 2, 1)
    for name in ("auc", "sensitivity", "specificity", "ppv", "prevalence"):
        figure = found["periods"][0][name]
        assert figure["ci95"][0] <= figure["value"] <= figure["ci95"][1]
        assert figure["with_prior_correction"]["value"] == figure["value"]
        assert figure["without_prior_correction"]["value"] is not None
    assert "prior shift" in found["assumptions"]
    assert found == again


@pytest.mark.parametrize(
    ("reference", "production", "words", "told"),
    [
        ([(1, 0.5), (1, 0.6)], [(0.5,)], (), "no negative case"),
        ([(0, 0.5), (0, 0.6)], [(0.5,)], (), "no positive case"),
        ([("", 0.5)], [(0.5,)], (), "no row with truth and score"),
        ([(1, 0.5), (2, 0.5)], [(0.5,)], (), "needed 1, 0 or nothing"),
        ([(1, 0.5), (0, "inf")], [(0.5,)], (), "needed a finite number"),
        ([(1, 0.5), (0, 0.4)], [("",)], (), "no rows"),
        ([(1, 0.5), (0, 0.4)], [("x",)], (), "needed a number"),
        ([(1, 0.5), (0, 0.4)], [(0.5,)], ("--bootstrap", "3"), "needed 50 or more"),
    ],
)
def test_wrong_input_is_refused_in_one_line(tmp_path, capsys, reference, production, words, told):
    files = (csv(tmp_path / "r.csv", "truth,score", reference), csv(tmp_path / "p.csv", "score", production))

    code = main(["drift", "label-free", "--reference", files[0], "--production", files[1], *words])

    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    assert told in said.err
