"""The false alarms of a bank of charts together come as seldom as configured."""

import numpy as np
import pytest

from triage.errors import InvalidDesign
from validation.drift.combined import (
    Stream,
    block_bootstrap,
    combined_years,
    design_bank,
    design_dependent_bank,
    independent_observations,
    simulated_years,
)
from validation.drift.designs import BernoulliCusum, Cusum, Ewma

BANK = (
    Stream("score", Cusum(0.5, 1.0), 365),
    Stream("score, slow changes", Cusum(0.25, 1.0), 365),
    Stream("turnaround", Ewma(0.1, 1.0), 365),
    Stream("exposure", Ewma(0.2, 1.0, sided=1), 52),
    Stream("flag rate", BernoulliCusum(0.1, 0.2, 1.0, 1, 20), 365),
)


def test_one_false_alarm_a_year_of_all_streams_together_over_two_thousand_years():
    bank = design_bank(BANK, years=1.0)

    realised = simulated_years(bank, independent_observations(bank), sites=200, years=10, seed=1)

    assert combined_years(bank) == pytest.approx(1.0, rel=0.02)
    assert realised == pytest.approx(1.0, rel=0.10)


def test_charts_designed_each_by_itself_alarm_as_many_times_as_there_are_charts():
    alone = tuple(design_bank([one], years=1.0)[0] for one in BANK)

    assert combined_years(alone) == pytest.approx(1 / len(BANK), rel=0.02)


def test_streams_that_move_together_are_designed_by_simulation():
    random = np.random.default_rng(3)
    shared = random.normal(size=(3000, 1))
    observed = 0.95 * shared + np.sqrt(1 - 0.95**2) * random.normal(size=(3000, 4))
    observed = (observed - observed.mean(axis=0)) / observed.std(axis=0)
    streams = [Stream(str(number), Cusum(0.5, 1.0), 100) for number in range(4)]
    source = block_bootstrap(observed, block=1)

    independent = simulated_years(design_bank(streams, 1.0), source, sites=200, years=10, seed=5)
    bank = design_dependent_bank(streams, 1.0, source, sites=200, simulated=10, seed=1)

    # Designed as if independent, streams that move together alarm too seldom, and find changes later than they could.
    assert independent > 1.3
    assert simulated_years(bank, source, sites=200, years=10, seed=5) == pytest.approx(1.0, rel=0.10)
    assert bank[0].chart.limit < design_bank(streams, 1.0)[0].chart.limit


def test_a_block_bootstrap_keeps_rows_and_their_neighbours_together():
    observed = np.arange(60.0).reshape(30, 2)

    first, second = block_bootstrap(observed, 5)(np.random.default_rng(1), 7, 20)

    assert np.array_equal(second, first + 1)
    inside = np.arange(19) % 5 != 4
    assert (np.diff(first, axis=1)[:, inside] == 2).all()


@pytest.mark.parametrize("make", [lambda: design_bank([], 1.0), lambda: design_bank(BANK, 0.0),
                                  lambda: block_bootstrap(np.zeros((10, 2)), 6)])  # fmt: skip
def test_a_bank_that_cannot_be_is_refused(make):
    with pytest.raises(InvalidDesign, match="needed"):
        make()


def test_years_without_an_alarm_give_no_mean():
    bank = [Stream("one", Cusum(0.5, 30.0), 10)]

    with pytest.raises(InvalidDesign, match="no alarm"):
        simulated_years(bank, independent_observations(bank), 2, 1, 1)
