"""Charts as they run over series, and baselines that are estimates."""

import json
from math import log

import numpy as np
import pytest

from deploy.cli import main
from validation.drift.baselines import adjusted, adjusted_for_rate, kept_run_length
from validation.drift.charts import run_cusum, run_events, run_ewma
from validation.drift.designs import BernoulliCusum, Cusum, Ewma
from validation.drift.series import Events


def test_a_cusum_is_the_hand_calculation():
    # k = 0.5, h = 2. S+: 0.5, 0, 1.0, 2.0, 3.5; S-: 0, 1.5, 0, 0, 0.
    run = run_cusum(Cusum(0.5, 2.0), np.array([1.0, -2.0, 1.5, 1.5, 2.0]))

    assert run.upper.tolist() == [0.5, 0.0, 1.0, 2.0, 3.5]
    assert run.lower.tolist() == [0.0, 1.5, 0.0, 0.0, 0.0]
    assert run.statistic.tolist() == [0.5, 1.5, 1.0, 2.0, 3.5]
    assert (run.alarm_index, run.alarm_side) == (4, "upper")
    assert (run.change_point_index, run.first_changed_index) == (1, 2)


def test_a_fall_alarms_below_and_only_with_two_sides():
    values = np.array([0.0, -3.0, -3.0])

    assert run_cusum(Cusum(0.5, 4.0), values).alarm_side == "lower"
    assert run_cusum(Cusum(0.5, 4.0, sided=1), values).alarm_index is None


def test_a_series_that_has_changed_from_the_start_has_no_zero_before_the_alarm():
    run = run_cusum(Cusum(0.5, 2.0), np.array([2.0, 2.0]))

    assert (run.alarm_index, run.change_point_index, run.first_changed_index) == (1, None, 0)


def test_a_missing_value_leaves_the_statistics_as_they_were():
    values = np.array([1.0, np.nan, 1.0])

    assert run_cusum(Cusum(0.5, 2.0), values).upper.tolist() == [0.5, 0.5, 1.0]
    assert run_ewma(Ewma(0.5, 3.0), values).statistic.tolist() == [0.5, 0.5, 0.75]


def test_an_ewma_is_the_hand_calculation():
    # lambda = 0.5: -0.5, 0.25, 1.125, 1.5625; limit 2 * sqrt(0.5 / 1.5) = 1.1547. The last one below zero is row 0.
    run = run_ewma(Ewma(0.5, 2.0), np.array([-1.0, 1.0, 2.0, 2.0]))

    assert run.statistic.tolist() == [-0.5, 0.25, 1.125, 1.5625]
    assert run.limit == pytest.approx(1.1547, abs=1e-4)
    assert (run.alarm_index, run.change_point_index) == (3, 0)


def test_a_chart_of_events_adds_log_likelihood_ratios():
    # p0 = 0.2, p1 = 0.8: +ln 4 for each event, -ln 4 for each trial without. Rows 1/1, 0/0, 0/1, 2/3, 2/2.
    series = Events(np.array([1.0, 0, 0, 2, 2]), np.array([1.0, 0, 1, 3, 2]))

    run = run_events(BernoulliCusum(0.2, 0.8, 2.5 * log(4)), series)

    assert run.statistic == pytest.approx(np.array([1, 1, 0, 1, 3]) * log(4))
    assert (run.alarm_index, run.change_point_index) == (4, 2)


def test_sums_that_return_to_zero_are_zero_in_spite_of_rounding():
    # 0.1 against 0.3: the weights are ln 3 and ln(7/9); one event and trials enough come back below zero.
    up, down = log(0.3 / 0.1), log(0.7 / 0.9)
    series = Events(np.array([1.0, 0, 0, 0, 0, 1]), np.ones(6))

    run = run_events(BernoulliCusum(0.1, 0.3, 10), series)

    assert run.statistic == pytest.approx(
        [up, up + down, up + 2 * down, up + 3 * down, up + 4 * down, 2 * up + 4 * down]
    )


def test_the_change_is_found_where_it_was_planted():
    random = np.random.default_rng(3)
    distances = []
    for _ in range(200):
        values = random.normal(size=300)
        values[150:] += 1.5
        run = run_cusum(Cusum(0.75, 8.0), values)
        distances.append(run.first_changed_index - 150)

    assert np.quantile(np.abs(distances), 0.9) <= 7


def test_thirty_points_do_not_keep_the_run_length_and_five_hundred_nearly_do():
    # Facts measured elsewhere: nominal 168; from 30 points median 97, 5 % to 95 % 26 to 494.
    chart = Cusum(0.5, 4)

    assert kept_run_length(chart, 30, 0.5) == pytest.approx(97, rel=0.2)
    assert kept_run_length(chart, 30, 0.95) == pytest.approx(26, rel=0.2)
    assert kept_run_length(chart, 500, 0.95) > 168 / 2


def test_adjusted_limits_keep_the_run_length_of_nine_in_ten_baselines():
    chart = adjusted(Cusum(0.5, 4), 168, points=100, guarantee=0.9, seed=1)
    random, kept = np.random.default_rng(9), 0
    for _ in range(400):
        baseline = random.normal(size=100)
        kept += chart.run_length(-baseline.mean() / baseline.std(ddof=1), 1 / baseline.std(ddof=1)) >= 168

    assert chart.limit > 4
    assert kept / 400 == pytest.approx(0.9, abs=0.05)


def test_adjusted_limits_of_a_rate_keep_the_run_length_of_nine_in_ten_baselines():
    chart = BernoulliCusum(0.1, 0.2, 3)
    widened = adjusted_for_rate(chart, 1000, trials=500, guarantee=0.9)
    random, kept, odds_ratio = np.random.default_rng(9), 0, 2.25
    for _ in range(100):
        rate = random.binomial(500, 0.1) / 500
        odds = odds_ratio * rate / (1 - rate)
        kept += BernoulliCusum(rate, odds / (1 + odds), widened.limit).run_length(0.1) >= 1000

    assert kept / 100 == pytest.approx(0.9, abs=0.08)


def series(folder, header, rows):
    path = folder / "series.csv"
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
    return str(path)


def answered(capsys, *words):
    assert main(["drift", "chart", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *words):
    assert main(["drift", "chart", *words, "--json"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    return told.err


CUSUM = ("--chart", "cusum", "--k", "0.5", "--h", "2")


def test_the_command_answers_with_alarm_change_point_and_statistic(tmp_path, capsys):
    path = series(tmp_path, "time,value", [("2026-01-01", 12), ("2026-01-02", 6), ("2026-01-03", ""),
                                           ("2026-01-04", 13), ("2026-01-05", 13), ("2026-01-06", 14)])  # fmt: skip

    found = answered(capsys, path, *CUSUM, "--mean", "10", "--sd", "2")

    assert found["statistic_upper"] == [0.5, 0.0, 0.0, 1.0, 2.0, 3.5]
    assert (found["alarm_index"], found["change_point_index"], found["missing"]) == (5, 2, 1)


def test_an_estimated_baseline_says_what_it_does_not_keep(tmp_path, capsys):
    values = np.random.default_rng(1).normal(5, 2, 60).round(3).tolist()
    path = series(tmp_path, "time,value", list(enumerate(values)))

    plain = answered(capsys, path, *CUSUM, "--baseline", "30")
    wide = answered(capsys, path, *CUSUM, "--baseline", "30", "--adjust")

    assert plain["baseline"]["mean"] == pytest.approx(np.mean(values[:30]))
    assert plain["baseline"]["kept_arl0"] < plain["arl0"]
    assert "200 to 500" in plain["notes"][0]
    assert "--adjust" in plain["notes"][0]
    assert plain["statistic"][:30] == [0.0] * 30
    assert wide["limit"] > plain["limit"]
    assert wide["baseline"]["kept_arl0"] == pytest.approx(plain["arl0"], rel=0.01)
    assert wide["notes"] == []


def test_events_may_come_one_by_one_or_in_groups(tmp_path, capsys):
    options = ("--chart", "bernoulli-cusum", "--p0", "0.1", "--p1", "0.3", "--h", "3")
    single = answered(capsys, series(tmp_path, "time,value", [(1, 1), (2, 0), (3, 1), (4, ""), (5, 1)]), *options)
    rows = [(1, 1, 1), (2, 0, 1), (3, 1, 1), (4, 0, 0), (5, 1, 1)]
    grouped = answered(capsys, series(tmp_path, "time,events,trials", rows), *options)

    assert single["statistic"] == grouped["statistic"]
    assert single["alarm_index"] == 4


@pytest.mark.parametrize(
    ("header", "rows", "words", "told"),
    [
        ("time,value", [(2, 1.0), (1, 2.0)], CUSUM, "line 3: time: '1' lies before"),
        ("time,value", [(1, 1.0), ("2026-01-01", 2.0)], CUSUM, "of another kind"),
        ("time,value", [("yesterday", 1.0)], CUSUM, "needed a number or an ISO 8601 date"),
        ("time,value", [(1, "nan")], CUSUM, "needed a finite number"),
        ("time,value", [(1, "x")], CUSUM, "needed a number"),
        ("time,value", [], CUSUM, "no rows"),
        ("time,score", [(1, 2)], CUSUM, "column value absent"),
        ("time,value", [(n, 7) for n in range(40)], (*CUSUM, "--baseline", "30"), "all 30 values are 7"),
        ("time,value", [(n, n) for n in range(40)], (*CUSUM, "--baseline", "40"), "needed more than the 40"),
        ("time,value", [(1, 1)], (*CUSUM, "--mean", "1"), "needed both, or neither"),
        ("time,value", [(1, 1)], (*CUSUM, "--mean", "1", "--sd", "0"), "needed more than 0"),
        ("time,value", [(1, 1)], (*CUSUM, "--arl0", "370"), "needed either"),
        ("time,value", [(1, 1)], ("--chart", "ewma", "--limit", "3"), "lambda: absent"),
        ("time,events,trials", [(1, 3, 2)], ("--chart", "bernoulli-cusum", "--p0", ".1", "--p1", ".2", "--h", "3"),
         "needed at most the 2 trials"),
        ("time,events,trials", [(1, 0.5, 2)], ("--chart", "bernoulli-cusum", "--p0", ".1", "--p1", ".2", "--h", "3"),
         "needed a whole number"),
        ("time,events,trials", [(1, 0, 2), (2, 0, 2), (3, 1, 2)],
         ("--chart", "bernoulli-cusum", "--p1", ".2", "--h", "3", "--baseline", "2"), "0 events in 4 trials"),
        ("time,value", [(1, 2)], ("--chart", "bernoulli-cusum", "--p0", ".1", "--p1", ".2", "--h", "3"), "1 or 0"),
        ("time,events,trials", [(1, 0, 1e9)], ("--chart", "bernoulli-cusum", "--p0", ".1", "--p1", ".2", "--h", "3"),
         "trials: found 1e+09, needed at most 100000"),
        ("time,value", [(1, 1e308), (2, -1e308), (3, 0)], (*CUSUM, "--baseline", "2"), "have no standard deviation"),
        ("time,value", [(1, 1)], (*CUSUM, "--mean", "0", "--sd", "1e-200"), "needed less than 1e+100 sd"),
        ("time,value", [(1, 1)], (*CUSUM, "--lambda", "0.1"), "lambda: is the weight of an ewma"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused_in_one_line(tmp_path, capsys, header, rows, words, told):
    assert told in refused(capsys, series(tmp_path, header, rows), *words)


def test_rows_without_trials_alone_give_a_chart_that_stays_at_zero(tmp_path, capsys):
    path = series(tmp_path, "time,events,trials", [(1, 0, 0), (2, "", ""), (3, 0, 0)])

    found = answered(capsys, path, "--chart", "bernoulli-cusum", "--p0", ".1", "--p1", ".2", "--h", "3")

    assert (found["statistic"], found["alarm_index"], found["missing"]) == ([0.0] * 3, None, 3)


def test_a_constant_series_at_the_target_never_alarms(tmp_path, capsys):
    path = series(tmp_path, "time,value", [(n, 5) for n in range(50)])

    assert answered(capsys, path, *CUSUM, "--mean", "5", "--sd", "1")["alarm_index"] is None


def test_several_streams_share_the_false_alarm_interval(capsys):
    assert main(["drift", "design", "--chart", "cusum", "--k", "0.5", "--arl0", "100", "--streams", "5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert found["arl0"] == pytest.approx(500)
    assert found["combined_arl0"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--chart cusum --k 1e300 --h 4", "k: found 1e+300, needed at most 20"),
        ("--chart cusum --k .5 --h 4 --shift 1e300", "shift: found 1e+300, needed at most 20"),
        ("--chart ewma --lambda .1 --limit 3 --k .5", "k: is the reference value of a cusum"),
        ("--chart bernoulli-cusum --p0 .1 --p1 .2 --h 3 --k .5", "k, lambda: are constants"),
        ("--chart bernoulli-cusum --p0 .1 --p1 .2 --h 3 --trials 0", "trials: found 0, needed 1 or more"),
    ],
)
def test_a_design_out_of_range_is_refused_in_one_line(capsys, words, told):
    code = main(["drift", "design", *words.split(), "--json"])

    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    assert told in said.err
