"""Run lengths of charts, against published values, closed forms and simulation."""

from math import log

import numpy as np
import pytest
from scipy import stats

from triage.errors import InvalidDesign
from validation.drift.designs import BernoulliCusum, Cusum, Ewma
from validation.drift.event_chain import event_run_length, lattice_for


@pytest.mark.parametrize(
    ("h", "shift", "published"),
    # J. Lucas, M. Saccucci, Technometrics 32 (1990) 1-12 and J. Lucas, Technometrics 24 (1982) 51-59: k = 0.5.
    [(4, 0.0, 167.68), (5, 0.0, 465.4), (4, 0.5, 26.6), (4, 1.0, 8.38), (5, 1.0, 10.4), (5, 2.0, 4.01)],
)
def test_a_two_sided_cusum_has_the_published_run_length(h, shift, published):
    assert Cusum(0.5, h).run_length(shift) == pytest.approx(published, rel=4e-3)


def test_the_run_length_in_control_is_right_to_four_digits():
    assert Cusum(0.5, 4).run_length(0.0) == pytest.approx(167.684, abs=0.001)
    assert Cusum(0.5, 5).run_length(0.0) == pytest.approx(465.44, abs=0.01)
    assert Ewma(0.1, 2.814).run_length(0.0) == pytest.approx(499.58, abs=0.01)
    assert Cusum(0.5, 4, sided=1).run_length(0.0) == pytest.approx(2 * 167.684, abs=0.002)


@pytest.mark.parametrize(("shift", "published"), [(0.0, 499.6), (0.5, 31.3), (1.0, 10.3), (2.0, 4.36)])
def test_an_ewma_has_the_published_run_length(shift, published):
    # J. Lucas, M. Saccucci (1990), table 3: weight 0.1, limit 2.814.
    assert Ewma(0.1, 2.814).run_length(shift) == pytest.approx(published, rel=4e-3)


def test_an_ewma_of_the_newest_value_alone_is_a_shewhart_chart():
    assert Ewma(1.0, 3.0).run_length(0.0) == pytest.approx(1 / (2 * stats.norm.sf(3)))
    assert Ewma(1.0, 3.0, sided=1).run_length(1.0) == pytest.approx(1 / stats.norm.sf(2))


def test_a_cusum_that_allows_nothing_to_add_up_is_a_shewhart_chart():
    # h -> 0: an alarm is one value above k.
    assert Cusum(2.0, 1e-9, sided=1).run_length(0.0) == pytest.approx(1 / stats.norm.sf(2), rel=1e-6)


def test_a_one_sided_ewma_is_the_simulated_one():
    random, runs = np.random.default_rng(11), 20_000
    limit = 1.8 * np.sqrt(0.2 / 1.8)
    average, lengths, running = np.zeros(runs), np.zeros(runs), np.ones(runs, bool)
    while running.any():
        average = 0.2 * random.normal(size=runs) + 0.8 * average
        lengths[running] += 1
        running &= average <= limit

    error = lengths.std() / np.sqrt(runs)
    assert Ewma(0.2, 1.8, sided=1).run_length(0.0) == pytest.approx(lengths.mean(), abs=4 * error)


@pytest.mark.parametrize("chart", [Cusum(0.5, 1), Cusum(0.25, 1, 1), Ewma(0.1, 1), Ewma(0.3, 1, 1)])
def test_the_designed_limit_gives_the_wanted_run_length(chart):
    assert chart.designed(370).run_length(0.0) == pytest.approx(370, rel=1e-8)


def test_the_published_limit_is_found_again():
    assert Cusum(0.5, 1).designed(465.44).limit == pytest.approx(5.0, abs=1e-4)
    assert Ewma(0.1, 1).designed(499.58).limit == pytest.approx(2.814, abs=1e-4)


def test_spread_beyond_that_of_the_design_shortens_the_run_as_wider_units_would():
    # Values of sd 2 on a chart made for sd 1 are values of sd 1 on one with half the constants.
    assert Cusum(0.5, 4).run_length(1.0, sd=2.0) == pytest.approx(Cusum(0.25, 2).run_length(0.5))


def simulated(p0, p1, limit, trials, rate, runs, seed=1):
    random = np.random.default_rng(seed)
    up, down = log(p1 / p0), log((1 - p1) / (1 - p0))
    statistic, lengths, group = np.zeros(runs), [], 0
    while statistic.size:
        group += 1
        events = random.binomial(trials, rate, statistic.size)
        statistic = np.maximum(0, statistic + events * up + (trials - events) * down)
        lengths += [group] * int((statistic > limit).sum())
        statistic = statistic[statistic <= limit]
    return np.mean(lengths), np.std(lengths) / np.sqrt(runs)


@pytest.mark.parametrize(
    ("p0", "p1", "limit", "trials", "rate"),
    [(0.1, 0.2, 3.3, 1, 0.1), (0.1, 0.2, 3.3, 1, 0.2), (0.01, 0.02, 2.0, 1, 0.01), (0.9, 0.8, 3.0, 1, 0.9),
     (0.1, 0.2, 4.0, 20, 0.1), (0.01, 0.02, 4.0, 50, 0.01), (1e-4, 2e-4, 3.0, 2000, 1e-4)],
)  # fmt: skip
def test_a_chart_of_events_has_the_simulated_run_length(p0, p1, limit, trials, rate):
    mean, error = simulated(p0, p1, limit, trials, rate, runs=10_000)

    found = BernoulliCusum(p0, p1, limit, 1, trials).run_length(rate)

    assert found == pytest.approx(mean, abs=4 * error)
    assert error < 0.02 * mean


def test_on_a_lattice_the_run_length_is_the_hand_calculation():
    # p0 = 0.2, p1 = 0.8: an event adds ln 4, a trial without one takes ln 4. Alarm above 1.5 steps, that is at 2.
    # L0 = 1 + p L1 + (1 - p) L0, L1 = 1 + (1 - p) L0, hence L0 = (1 + p) / p^2 = 1.2 / 0.04 = 30.
    chart = BernoulliCusum(0.2, 0.8, 1.5 * log(4))

    assert chart.run_length(0.2) == pytest.approx(30)
    assert chart.run_length(0.8) == pytest.approx(1.8 / 0.64)
    assert "exact" in chart.method


def test_the_limit_itself_is_no_alarm():
    # On the same lattice: exactly one step is reached, not exceeded; two events are needed, as with 1.5 steps.
    assert BernoulliCusum(0.2, 0.8, log(4)).run_length(0.2) == pytest.approx(30)
    assert BernoulliCusum(0.2, 0.8, 0.999 * log(4)).run_length(0.2) == pytest.approx(5)


def test_a_fall_of_events_is_a_rise_of_the_rest():
    assert BernoulliCusum(0.9, 0.8, 3).run_length(0.85) == pytest.approx(BernoulliCusum(0.1, 0.2, 3).run_length(0.15))


def test_two_sides_of_events_have_the_simulated_run_length():
    chart = BernoulliCusum(0.3, 0.45, 2.5, sided=2)
    odds = lambda p: p / (1 - p)  # noqa: E731
    assert odds(chart.alternatives[1]) / odds(0.3) == pytest.approx(odds(0.3) / odds(0.45))

    random, runs = np.random.default_rng(5), 20_000
    statistics, running, lengths = np.zeros((2, runs)), np.ones(runs, bool), np.zeros(runs)
    weights = [(log(p / 0.3), log((1 - p) / 0.7)) for p in chart.alternatives]
    while running.any():
        event = random.random(runs) < 0.3
        for row, (up, down) in enumerate(weights):
            statistics[row] = np.maximum(0, statistics[row] + np.where(event, up, down))
        lengths[running] += 1
        running &= ~(statistics > 2.5).any(axis=0)

    assert chart.run_length(0.3) == pytest.approx(lengths.mean(), abs=4 * lengths.std() / np.sqrt(runs))


@pytest.mark.parametrize(("p0", "p1", "sided"), [(0.1, 0.2, 1), (0.01, 0.03, 1), (0.92, 0.85, 1), (0.2, 0.3, 2)])
def test_the_designed_limit_of_events_is_the_smallest_that_keeps_the_run_length(p0, p1, sided):
    chart = BernoulliCusum(p0, p1, 1.0, sided).designed(1000)

    assert 1000 <= chart.run_length(p0) < 1050
    assert chart.with_limit(chart.limit * 0.98).run_length(p0) < 1000


def test_lattices_of_other_fineness_agree():
    coarse, fine = lattice_for(0.05, 0.1, 3.7, trials=2000), lattice_for(0.05, 0.1, 3.7, trials=1)

    assert not fine.is_exact
    assert fine.step < 0.01
    found = event_run_length(coarse, 3.7, 30, 0.05)
    assert found == pytest.approx(event_run_length(fine, 3.7, 30, 0.05), rel=0.01)


@pytest.mark.parametrize("chart", [Cusum(0.5, 5), Ewma(0.1, 2.814), BernoulliCusum(0.1, 0.2, 4)])
def test_the_smallest_change_is_found_in_the_stated_time(chart):
    change = chart.smallest_change(25)

    assert chart.run_length(chart.in_control + change) == pytest.approx(25, rel=1e-3)


def test_a_time_too_short_for_any_change_has_no_smallest_one():
    # From rate 1 on the statistic needs 4 / ln 2 = 5.8 events.
    assert BernoulliCusum(0.1, 0.2, 4).smallest_change(5) is None


def test_a_time_that_false_alarms_keep_has_no_smallest_change():
    with pytest.raises(InvalidDesign, match="false alarm"):
        Cusum(0.5, 4).smallest_change(200)


@pytest.mark.parametrize(
    "make",
    [lambda: Cusum(-1, 4), lambda: Cusum(0.5, 0), lambda: Cusum(0.5, 4, 3), lambda: Ewma(0, 3), lambda: Ewma(1.1, 3),
     lambda: Ewma(0.1, -1), lambda: BernoulliCusum(0, 0.1, 3), lambda: BernoulliCusum(0.1, 1, 3),
     lambda: BernoulliCusum(0.1, 0.1, 3), lambda: BernoulliCusum(0.1, 0.2, 3, 1, 0)],
)  # fmt: skip
def test_constants_out_of_range_are_refused_in_one_line(make):
    with pytest.raises(InvalidDesign, match="needed") as refused:
        make()

    assert "\n" not in str(refused.value)
