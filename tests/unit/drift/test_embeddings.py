"""What the network sees is watched by the week: quiet weeks are standard normal, a moved cloud is an alarm."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from triage.surveillance import StudyRecord
from validation.drift.daily import Calendar
from validation.drift.embeddings import STREAM, embedding_streams
from validation.drift.inputs import difference
from validation.drift.monitor import Design, check

START = datetime(2026, 1, 1, tzinfo=UTC)


def records(days, per_day=12, seed=1, moved=0.0, since=10**6, size=16):
    """Coordinates that vary from day to day as well as from study to study; half of them move by `moved`."""
    random = np.random.default_rng(seed)
    for day in range(days):
        shared = 0.3 * random.standard_normal(size) + (moved * (np.arange(size) < size / 2) if day >= since else 0.0)
        for number in range(per_day):
            seen = tuple((shared + random.standard_normal(size)).tolist())
            moment = START + timedelta(days=day, hours=24 * (number + 0.5) / per_day)
            yield StudyRecord(f"2.25.{day:05}{number:04}", moment, "S", "CT1", "m 1", embedding=seen)


def test_quiet_weeks_are_standard_normal_although_studies_of_a_day_resemble_one_another():
    calendar = Calendar(UTC, date(2026, 12, 31))

    series = [one for seed in range(4) for one in embedding_streams(list(records(365, seed=seed)), calendar)]

    later = np.concatenate([one.values[one.baseline_end :] for one in series])
    known = later[np.isfinite(later)]
    assert len(known) == 4 * 39
    assert abs(known.mean()) < 0.35  # the four baselines are estimates
    assert 0.8 < known.std() < 1.25


def test_a_moved_cloud_is_an_alarm_that_names_scanner_week_and_studies():
    moved = list(records(200, moved=0.6, since=150))

    (status,) = [one for one in check(moved, START + timedelta(days=200), Calendar(UTC, date(2026, 7, 18)), Design())
                 if one.key.stream == STREAM]  # fmt: skip

    alarm = status.alarms[0]
    assert (alarm.key.scanner, alarm.side, len(alarm.studies)) == ("CT1", "upper", 10)
    assert abs((alarm.changed_on - date(2026, 5, 31)).days) <= 7
    assert min(alarm.studies) >= "2.25.00147"  # none is from before the week that changed


def test_the_same_cloud_gives_no_alarm():
    quiet = list(records(365))

    found = check(quiet, START + timedelta(days=365), Calendar(UTC, date(2026, 12, 31)), Design())

    assert [alarm for one in found if one.key.stream == STREAM for alarm in one.alarms] == []


@pytest.mark.parametrize("mixed", [False, True])
def test_embeddings_are_part_of_what_differs_where_every_study_has_one(mixed):
    own = [
        replace(one, numbers={"age_years": 50.0 + 7 * (number % 5)})
        for number, one in enumerate(records(60, moved=0.8, since=30))
    ]
    if mixed:
        own[400] = replace(own[400], embedding=())

    found = difference(own, date(2026, 1, 31), date(2026, 2, 27), UTC)

    told = {one.stream: one for one in found.streams}
    assert set(told) == ({"age_years"} if mixed else {"age_years", "embedding"})
    assert (found.joint.p < 0.01) is not mixed
    if not mixed:
        assert told["embedding"].share_of_distance > 0.8 > told["age_years"].share_of_distance
        assert told["embedding"].p < 0.05 < told["age_years"].p


def test_studies_without_an_embedding_feed_no_stream():
    silent = [replace(one, embedding=()) for one in records(120)]

    assert embedding_streams(silent, Calendar(UTC, date(2026, 4, 30))) == []
