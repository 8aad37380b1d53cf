"""The criteria of a plan, on cases whose figures can be worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from triage.errors import InvalidPlan
from validation.gate.cases import A, B, Cases, treated
from validation.gate.criteria import judge
from validation.gate.plan import Criterion, Missing, Of, read_plan
from validation.intervals import clopper_pearson
from validation.statistics.proportion_differences import PairedCounts, newcombe_clustered, newcombe_paired

NAN = float("nan")


def cases(truth, a, b, patients=None, sexes=None) -> Cases:
    scores = np.array([a, b], dtype=float)
    answered = ~np.isnan(scores)
    return Cases(
        patients=np.array(patients or [f"p{n}" for n in range(len(truth))]),
        truth=np.array(truth, dtype=bool),
        scores=scores,
        flagged=answered & (np.nan_to_num(scores) >= 0.5),
        answered=answered,
        rows=tuple({"sex": one} for one in sexes or ["F"] * len(truth)),
    )


def criterion(**changes) -> Criterion:
    return Criterion.model_validate({"name": "c", "measure": "sensitivity", "at_least": -0.1, **changes})


def only(found):
    (one,) = found
    return one


def test_a_missing_answer_of_the_candidate_counts_against_it_and_one_of_the_reference_for_the_reference():
    given = cases([1, 0, 1, 0, 1, 0], [0.9, 0.1, NAN, NAN, NAN, NAN], [NAN, NAN, 0.9, 0.1, NAN, NAN])

    worst = treated(given, Missing.WORST)

    assert worst.flagged[B].tolist() == [False, True, True, False, False, True]
    assert worst.flagged[A].tolist() == [True, False, True, False, False, True]
    assert worst.scores[B].tolist() == [-1.0, 2.0, 0.9, 0.1, -1.0, 2.0]
    assert worst.scores[A].tolist() == [0.9, 0.1, 2.0, -1.0, -1.0, 2.0]
    assert len(treated(given, Missing.LEAVE_OUT).truth) == 0


def test_the_sensitivity_of_the_candidate_alone_is_a_share_with_its_exact_interval():
    given = cases([1] * 10 + [0] * 10, [0.9] * 20, [0.9] * 9 + [0.1] * 11)

    found = only(judge(criterion(of="candidate", at_least=0.5), given, Missing.WORST))

    assert (found.n, found.patients, found.estimate.value) == (10, 10, 0.9)
    assert found.estimate.interval == pytest.approx(clopper_pearson(9, 10))
    assert found.met is True
    assert only(judge(criterion(of="candidate", at_least=0.6), given, Missing.WORST)).met is False


def test_a_refused_positive_lowers_the_sensitivity_and_the_share_of_answered():
    given = cases([1] * 4, [0.9] * 4, [0.9, 0.9, 0.9, NAN])

    difference = only(judge(criterion(), given, Missing.WORST))
    answered = only(judge(criterion(measure="answered", of="candidate"), given, Missing.WORST))
    left_out = only(judge(criterion(), given, Missing.LEAVE_OUT))

    assert (difference.estimate.value, answered.estimate.value, left_out.estimate.value) == (-0.25, 0.75, 0.0)
    assert (difference.n, left_out.n) == (4, 3)


def test_a_model_against_itself_differs_by_nothing_and_perfect_models_are_not_certain_to_be_alike():
    truth = [1] * 20 + [0] * 20
    perfect, other = [0.9] * 20 + [0.1] * 20, [0.8] * 20 + [0.2] * 20
    auc = criterion(measure="auc", at_least=-0.05)

    same = only(judge(auc, cases(truth, perfect, perfect), Missing.WORST))
    both_perfect = only(judge(auc, cases(truth, perfect, other), Missing.WORST))

    assert (same.estimate.value, same.estimate.interval, same.met) == (0.0, (0.0, 0.0), True)
    assert both_perfect.estimate.value == 0.0
    assert both_perfect.estimate.interval is not None
    assert both_perfect.estimate.interval[0] < -0.05
    assert both_perfect.met is False


def test_a_subgroup_that_loses_is_named_and_a_small_one_is_not_judged():
    truth, sexes = [1] * 25, ["F"] * 10 + ["M"] * 10 + ["O"] * 5
    given = cases(truth, [0.9] * 25, [0.9] * 10 + [0.1] * 5 + [0.9] * 10, sexes=sexes)

    found = {one.subgroup: one for one in judge(criterion(subgroups=["sex"], judged_by="value"), given, Missing.WORST)}

    assert (found["sex: F"].met, found["sex: M"].met, found["sex: O"].met) == (True, False, None)
    assert found["sex: M"].estimate.value == -0.5


def test_with_one_case_to_a_cluster_the_clustered_interval_is_that_of_newcombe():
    right_a, right_b = np.array([1, 1, 1, 0, 0, 1, 1, 0], bool), np.array([1, 0, 1, 1, 0, 1, 1, 1], bool)

    clustered = newcombe_clustered(right_a, right_b, [str(n) for n in range(8)])

    assert clustered == pytest.approx(newcombe_paired(PairedCounts(both=4, only_a=1, only_b=2, neither=1)))


def test_the_same_case_ten_times_is_one_case():
    right_a, right_b = np.array([1, 1, 0, 1] * 10, bool), np.array([1, 0, 1, 1] * 10, bool)

    clustered = newcombe_clustered(right_a, right_b, ["p", "q", "r", "s"] * 10)

    once = newcombe_paired(PairedCounts(both=2, only_a=1, only_b=1, neither=0))
    # Ten copies have the variance of four cases but for n/(n - 1), which is 40/39 against 4/3.
    assert clustered[1] - clustered[0] == pytest.approx(once[1] - once[0], rel=0.15)


def test_the_clustered_interval_covers_the_true_difference():
    random, covered, draws = np.random.default_rng(7), 0, 2000
    clusters = [str(n // 3) for n in range(240)]
    for _ in range(draws):
        hard = np.repeat(random.uniform(size=80) < 0.25, 3)
        right_a = random.uniform(size=240) < np.where(hard, 0.5, 0.9)
        right_b = random.uniform(size=240) < np.where(hard, 0.3, 0.9)
        low, high = newcombe_clustered(right_a, right_b, clusters)
        covered += low <= 0.25 * (0.3 - 0.5) <= high

    assert abs(covered / draws - 0.95) <= 0.015


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("auc", "aux"), "criteria.0.measure"),
        (("at_least = -0.05", 'at_least = "x"'), "criteria.0.at_least"),
        (('modification = "m"', ""), "modification: Field required"),
        (('name = "c"', 'name = "c"\nmargin = 1'), "criteria.0.margin: Extra inputs"),
        (('name = "c"', 'name = "c"\nsubgroups = ["sex"]'), "needed one about all cases"),
        (("[[criteria]]", "[[criteria"), "needed TOML"),
    ],
)
def test_a_plan_that_says_too_little_is_refused_in_one_line(tmp_path, change, said):
    about = 'name = "p"\nmodification = "m"\nacceptance = "a"\n'
    text = f'{about}[[criteria]]\nname = "c"\nmeasure = "auc"\nat_least = -0.05\n'
    (tmp_path / "plan.toml").write_text(text)
    plan, _, digest = read_plan(tmp_path / "plan.toml")
    (tmp_path / "plan.toml").write_text(text.replace(*change, 1))

    assert (plan.criteria[0].of, plan.missing, len(digest)) == (Of.DIFFERENCE, Missing.WORST, 64)
    with pytest.raises(InvalidPlan, match=r"^[^\n]*$") as raised:
        read_plan(tmp_path / "plan.toml")
    assert said in str(raised.value)


def test_the_plan_in_the_documentation_is_one(tmp_path):
    page = (Path(__file__).parents[3] / "docs/validation-decisions.md").read_text(encoding="utf-8")
    (tmp_path / "plan.toml").write_text(page.split("```toml\n")[1].split("```")[0])

    plan, _, _ = read_plan(tmp_path / "plan.toml")

    assert [one.measure.value for one in plan.criteria] == ["auc", "sensitivity", "sensitivity", "sensitivity"]


def test_answers_are_not_filled_in_where_answering_is_what_counts():
    given = cases([1, 0], [0.9, 0.1], [NAN, NAN])

    found = only(judge(criterion(measure="answered"), given, Missing.LEAVE_OUT))

    assert (found.n, found.estimate.value) == (2, -1.0)
