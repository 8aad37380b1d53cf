"""Daily values are standard normal while nothing changes, limits are shared, silence is counted."""

from datetime import UTC, date, datetime, timedelta
from math import log

import numpy as np
import pytest
from scipy import stats

from triage.surveillance import StreamKey, StudyRecord
from validation.drift.daily import VOLUME, Calendar, daily_streams
from validation.drift.designs import Cusum
from validation.drift.monitor import Design, Watch, check
from validation.drift.promise import Basis, shared_limit
from validation.drift.silence import watch_arrivals

START = datetime(2026, 1, 1, tzinfo=UTC)
CALENDAR = Calendar(UTC, date(2028, 12, 31))


def records(days, per_day, seed=1, **told):
    random = np.random.default_rng(seed)
    for day in range(days):
        for number, hour in enumerate(np.sort(random.random(random.poisson(per_day))) * 24):
            values = {name: draw(random, day) for name, draw in told.items()}
            events = {name: value for name, value in values.items() if isinstance(value, bool)}
            numbers = {name: value for name, value in values.items() if isinstance(value, float)}
            texts = {name: value for name, value in values.items() if isinstance(value, str)}
            moment = START + timedelta(days=day, hours=float(hour))
            yield StudyRecord(f"2.25.{seed}{day:05}{number:04}", moment, "S", "CT1", "m 1", texts, numbers, events)


@pytest.fixture(scope="module")
def in_control():
    return list(
        records(
            1000,
            12.0,
            score_logit=lambda random, _: float(random.exponential()),
            flagged=lambda random, _: bool(random.random() < 0.04),
            kernel=lambda random, _: "A" if random.random() < 0.7 else "B",
            slice_thickness_mm=lambda *_: 5.0,
        )
    )


def test_every_form_of_stream_is_standard_normal_in_control(in_control):
    last = Calendar(UTC, date(2028, 9, 26))

    for one in daily_streams(in_control, last):
        later = one.values[one.baseline_end :]
        if one.key.stream == "slice_thickness_mm":  # it never varied, and gives no alarm by chance
            assert set(later[np.isfinite(later)]) == {0.0}
            continue
        assert abs(np.nanmean(later)) < 0.3, one.key.stream
        assert 0.85 < np.nanstd(later) < 1.15, one.key.stream


def test_values_of_a_day_do_not_change_when_later_days_come(in_control):
    known = in_control
    early, late = (
        daily_streams([one for one in known if one.received_at.date() <= last], Calendar(UTC, last))
        for last in (date(2026, 12, 31), date(2027, 6, 30))
    )

    for one, other in zip(early, late, strict=True):
        np.testing.assert_array_equal(one.values, other.values[: len(one.values)])


def test_a_stream_learns_until_it_has_both_its_days_and_its_studies():
    few = check(list(records(120, 1.0)), START + timedelta(days=120), Calendar(UTC, date(2026, 4, 30)), Design())

    assert {one.health for one in few} == {"learning"}
    assert {one.limit for one in few} == {None}


def test_the_shared_limit_lies_above_that_of_known_targets_and_grows_with_short_baselines():
    known = Cusum(0.5, 1.0, 2).designed(20 * 365.25).limit

    def limit_after(days):
        return shared_limit((Basis(days),) * 20, 0, 1.0).limit

    assert known < limit_after(365) < limit_after(90)
    assert limit_after(100_000) == pytest.approx(known, abs=0.05)


def test_a_new_baseline_ends_the_alarms_of_a_change_that_was_accepted():
    changed = list(records(500, 12.0, kernel=lambda _, day: "A" if day < 200 else "B"))
    calendar, key = Calendar(UTC, date(2027, 5, 15)), StreamKey("S", "CT1", "", "kernel")
    now = START + timedelta(days=500)

    def alarms(watch):
        found = check(changed, now, calendar, Design(), watch)
        return [alarm for one in found for alarm in one.alarms if one.key == key]

    first = alarms(Watch())[0]
    assert (first.key, abs((first.changed_on - date(2026, 7, 20)).days) <= 2) == (key, True)
    assert alarms(Watch(baselines={key: first.changed_on})) == []
    restarted = alarms(Watch(restarts={key: date(2027, 1, 1)}))
    assert restarted[0].noticed_on > date(2027, 1, 1)  # the old baseline still holds


def test_the_studies_that_show_a_change_best_come_first():
    changed = list(records(200, 12.0, age_years=lambda random, day: float(random.normal(50 if day < 150 else 80, 5))))

    (alarm, *_) = [a for one in check(changed, START + timedelta(days=200), Calendar(UTC, date(2026, 7, 18)), Design())
                   for a in one.alarms]  # fmt: skip

    ages = {one.study_instance_uid: one.numbers["age_years"] for one in changed}
    assert alarm.key.stream == "age_years"
    assert len(alarm.studies) == 10
    usual = max(one.numbers["age_years"] for one in changed if one.received_at < START + timedelta(days=90))
    assert min(ages[uid] for uid in alarm.studies) > usual


def test_silence_is_limited_by_the_arrivals_of_a_year():
    random = np.random.default_rng(3)
    hours = np.cumsum(random.exponential(0.5, 48 * 400))
    arrivals = [START + timedelta(hours=float(hour)) for hour in hours]
    last = arrivals[-1]

    watch = watch_arrivals(arrivals, last + timedelta(hours=10), 90, UTC, years=20.0)

    assert watch.limit == pytest.approx(log(48 * 365.25 * 20), rel=0.15)
    (silence,) = watch.silences
    assert (silence.since, silence.is_over) == (last, False)
    assert timedelta(hours=4) < silence.noticed_at - last < timedelta(hours=9)  # 12.8 arrivals at two an hour


@pytest.mark.parametrize(("swing", "burst"), [(0.0, 1.0), (0.03, 1.0), (0.0, 1.5)])
def test_false_silences_come_as_seldom_as_designed_whatever_the_arrivals_are_like(swing, burst):
    random = np.random.default_rng(5)
    days, found, designed = 90 + 1000, 0, 0.0
    by_hour = np.where(np.arange(24) < 7, 0.3, 1.29)
    for _ in range(12):
        rates = 1.0 * by_hour * (random.gamma(1 / swing, swing, days)[:, None] if swing else np.ones((days, 1)))
        starts = np.repeat(np.arange(days * 24), random.poisson(rates.ravel() / burst)) + 0.0
        hours = np.repeat(starts + random.random(len(starts)), random.geometric(1 / burst, len(starts)))
        arrivals = [START + timedelta(hours=hour) for hour in np.sort(hours + 0.01 * random.random(len(hours)))]
        watch = watch_arrivals(arrivals, arrivals[-1], 90, UTC, years=0.5)
        found += len(watch.silences)
        designed += watch.false_per_year * 1000 / 365.25

    # Nine in ten departments keep half a year, so the mean is below the 66 of 33 years.
    assert designed < 66
    assert stats.poisson.cdf(found, designed) > 0.001
    assert stats.poisson.sf(found - 1, designed) > 0.001


def test_a_weekend_without_studies_is_no_silence_where_weekends_are_quiet():
    random = np.random.default_rng(4)
    days = [day for day in range(400) if (START + timedelta(days=day)).weekday() < 5]
    arrivals = sorted(START + timedelta(days=day, hours=float(hour)) for day in days for hour in random.random(20) * 24)

    watch = watch_arrivals(arrivals, arrivals[-1], 90, UTC, years=20.0)

    assert watch.silences == ()
    assert watch.longest_hours > 48


def test_volume_of_silent_days_says_nothing():
    kept = [one for one in records(200, 20.0) if not 150 <= (one.received_at - START).days < 152]

    found = {one.key.stream: one for one in
             check(kept, START + timedelta(days=200), Calendar(UTC, date(2026, 7, 18)), Design())}  # fmt: skip

    assert date(2026, 5, 30) in {one.changed_on for one in found["silence"].alarms}
    assert found[VOLUME].alarms == ()
