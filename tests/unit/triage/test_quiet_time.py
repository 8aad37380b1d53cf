"""A scanner's quiet period follows its usual silences, not its odd ones."""

from datetime import timedelta

import pytest

from triage.quiet_time import FEWEST_STUDIES, QuietBounds, learned_quiet_period

BOUNDS = QuietBounds(timedelta(seconds=2), timedelta(seconds=60))


def seconds(*values: float) -> list[timedelta]:
    return [timedelta(seconds=value) for value in values]


def test_the_period_is_the_95th_of_100_silences_and_half_as_much_again():
    # 1 s … 100 s in tenths: 0.1, 0.2 … 10.0 s; the 95th smallest is 9.5 s, times 1.5 is 14.25 s.
    silences = seconds(*(number / 10 for number in range(100, 0, -1)))

    assert learned_quiet_period(silences, BOUNDS) == timedelta(seconds=14.25)


def test_one_study_in_twenty_that_got_a_series_an_hour_later_changes_nothing():
    usual = [4.0] * 95

    assert learned_quiet_period(seconds(*usual, *[3600.0] * 5), BOUNDS) == timedelta(seconds=6)
    assert learned_quiet_period(seconds(*usual, *[3600.0] * 6), BOUNDS) == BOUNDS.longest


@pytest.mark.parametrize(("silence", "period"), [(0.01, 2), (4, 6), (50, 60)])
def test_the_period_stays_within_its_bounds(silence, period):
    assert learned_quiet_period(seconds(*[silence] * 40), BOUNDS) == timedelta(seconds=period)


def test_too_few_studies_teach_nothing():
    assert learned_quiet_period(seconds(*[1.0] * (FEWEST_STUDIES - 1)), BOUNDS) is None
    assert learned_quiet_period(seconds(*[1.0] * FEWEST_STUDIES), BOUNDS) is not None
