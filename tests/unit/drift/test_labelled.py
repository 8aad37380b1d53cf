"""Performance from late labels: by date of study, with a change dated and evidence that may be looked at daily."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from triage.surveillance import StudyRecord
from validation.drift.labelled import change_point, e_value_above, labelled_performance
from validation.drift.rehearsal import draw_records
from validation.drift.scenario import read_scenario


def test_a_fall_of_sensitivity_by_ten_points_is_located_within_a_week():
    random = np.random.default_rng(5)
    days = [date(2026, 1, 1) + timedelta(days=day) for day in range(300) for _ in range(20)]
    missed = [bool(random.random() < (0.10 if day < date(2026, 7, 1) else 0.20)) for day in days]

    found = change_point(missed, days)

    assert abs((found.first_day - date(2026, 7, 1)).days) <= 7
    assert found.earliest <= date(2026, 7, 1) <= found.latest
    assert (found.before, found.after) == (pytest.approx(0.10, abs=0.02), pytest.approx(0.20, abs=0.03))


def test_no_change_is_told_where_there_is_none():
    random = np.random.default_rng(6)
    days = [date(2026, 1, 1) + timedelta(days=day) for day in range(200) for _ in range(5)]

    told = [change_point((random.random(len(days)) < 0.1).tolist(), days) for _ in range(100)]

    assert sum(one is not None for one in told) <= 5


def test_the_e_value_is_the_mean_likelihood_ratio_of_higher_rates():
    # One event in one trial against 0.5: the mean of p / 0.5 over p from 0.5 to 1 is 0.75 / 0.5.
    assert e_value_above(1, 1, 0.5) == pytest.approx(1.5)
    assert e_value_above(0, 0, 0.2) == pytest.approx(1.0)
    # No event in n trials against p: the mean of ((1 - q) / (1 - p))^n over q from p to 1 is 1 / (n + 1).
    assert e_value_above(0, 5000, 0.5) == pytest.approx(1 / 5001, rel=1e-3)
    assert e_value_above(0, 10, 0.5) == pytest.approx(1 / 11)


def test_looked_at_daily_a_true_claim_is_refuted_in_at_most_one_of_twenty_histories():
    random = np.random.default_rng(7)
    refuted = 0
    for _ in range(400):
        events = np.cumsum(random.random(300) < 0.1)
        refuted += any(e_value_above(int(events[at]), at + 1, 0.1) >= 20 for at in range(0, 300, 3))

    assert refuted / 400 <= 0.05


def test_performance_is_told_by_week_with_the_share_that_has_labels():
    scenario = read_scenario(Path("model")).model_copy(update={"days": 260})
    records = [one for one in draw_records(scenario) if one.model]

    found = labelled_performance(records, UTC, {"sensitivity": 0.80, "specificity": 0.5})

    sensitivity, specificity = found.figures
    assert found.labelled / found.studies == pytest.approx(0.8, abs=0.02)
    assert all(one.begins.weekday() == 0 for one in found.periods)
    assert sum(one.studies for one in found.periods) == found.studies
    assert abs((sensitivity.change.first_day - date(2026, 7, 6)).days) <= 14
    assert (sensitivity.is_below_claim, specificity.is_below_claim) == (True, False)


def test_a_study_without_an_answer_is_counted_and_not_labelled():
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    records = [
        StudyRecord("1", moment, "S", "CT1", "m 1", events={"flagged": True, "missed": False}),
        StudyRecord("2", moment, "S", "CT1", "m 1", events={"flagged": False}),
        StudyRecord("3", moment, "S", "CT1", "m 1", events={"out_of_scope": True}),
    ]

    found = labelled_performance(records, UTC)

    assert (found.studies, found.labelled) == (2, 1)
    assert (found.figures[0].value.successes, found.figures[0].value.trials) == (1, 1)
    assert found.figures[1].value.estimate.value is None
