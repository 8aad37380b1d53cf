"""What scores alone say: right when only prevalence moves, said to be doubtful when something else has."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import log

import numpy as np
import pytest

from triage.surveillance import Alarm, StreamKey, StreamKind, StudyRecord
from validation.drift.daily import Calendar
from validation.drift.estimated import STREAM, estimated_performance, estimated_streams
from validation.drift.monitor import Design, check

START = datetime(2026, 1, 1, tzinfo=UTC)
SEPARATION, USUAL = 2.0, 0.30


def records(days, per_day, prevalence, seed=1, sharpness=1.0):
    """Scores are the log odds that hold at a prevalence of 0.30; every study is read."""
    random = np.random.default_rng(seed)
    for day in range(days):
        for number in range(per_day):
            positive = bool(random.random() < prevalence(day))
            measured = random.standard_normal() + SEPARATION * positive
            logit = SEPARATION * measured - SEPARATION**2 / 2 + log(USUAL / (1 - USUAL))
            logit *= 1.0 if day < 120 else sharpness
            flagged = logit > 0
            events = {"flagged": flagged, ("missed" if positive else "false_flag"): flagged != positive}
            moment = START + timedelta(days=day, hours=24 * (number + 0.5) / per_day)
            yield StudyRecord(
                f"2.25.{day:05}{number:04}", moment, "S", "CT1", "m 1", {}, {"score_logit": logit}, events
            )


@pytest.fixture(scope="module")
def fewer_positives():
    return list(records(280, 120, lambda day: USUAL if day < 150 else 0.10))


def test_a_third_of_the_prevalence_is_no_alarm_of_performance_and_its_ppv_is_estimated(fewer_positives):
    days = 280
    calendar = Calendar(UTC, date(2026, 1, 1) + timedelta(days=days - 1))

    statuses = check(fewer_positives, START + timedelta(days=days), calendar, Design())
    (estimate,) = estimated_performance(fewer_positives, calendar, [])

    performance = [one for one in statuses if one.kind is StreamKind.PERFORMANCE]
    assert STREAM in {one.key.stream for one in performance if one.health == "watching"}
    assert [alarm for one in performance for alarm in one.alarms] == []
    outputs = {one.key.stream for one in statuses if one.kind is StreamKind.OUTPUT and one.alarms}
    assert outputs == {"score_logit", "flagged"}
    own = [one.events for one in fewer_positives if one.received_at >= START + timedelta(days=days - 28)]
    flagged = [events for events in own if events["flagged"]]
    ppv, (low, high) = estimate.figures.corrected["ppv"]
    realised = sum("missed" in events for events in flagged) / len(flagged)
    assert ppv == pytest.approx(realised, abs=0.03)
    assert low < realised < high
    assert estimate.figures.corrected["prevalence"][0] == pytest.approx(0.10, abs=0.02)
    assert estimate.figures.uncorrected["ppv"][0] > realised + 0.05
    assert estimate.doubts == ()


def test_scores_that_lose_their_sharpness_are_an_alarm():
    days = 280
    dull = list(records(days, 40, lambda day: USUAL, sharpness=0.3))

    (status,) = [one for one in check(dull, START + timedelta(days=days), Calendar(UTC, date(2026, 10, 7)), Design())
                 if one.key.stream == STREAM]  # fmt: skip

    assert status.alarms[0].side == "lower"
    assert abs((status.alarms[0].changed_on - date(2026, 5, 1)).days) <= 14
    assert len(status.alarms[0].studies) == 10


def test_estimates_of_quiet_weeks_stray_by_one_standard_deviation():
    series = [
        one
        for seed in range(6)
        for one in estimated_streams(list(records(350, 12, lambda day: USUAL, seed)), Calendar(UTC, date(2026, 12, 16)))
    ]

    later = np.concatenate([one.values[one.baseline_end :] for one in series])
    known = later[np.isfinite(later)]

    assert len(known) == 6 * 36
    assert abs(known.mean()) < 0.3
    assert 0.8 < known.std() < 1.2


def test_a_change_noticed_elsewhere_is_a_doubt_and_said_in_words(fewer_positives):
    calendar = Calendar(UTC, date(2026, 10, 7))
    kernel = Alarm(StreamKey("S", "CT1", "", "kernel"), StreamKind.INPUT, date(2026, 9, 1), date(2026, 8, 30), "upper",
                   12.0, 11.0, 4.0)  # fmt: skip
    scores = Alarm(StreamKey("S", "CT1", "m 1", "flagged"), StreamKind.OUTPUT, date(2026, 9, 1), date(2026, 8, 30),
                   "lower", 12.0, 11.0, 4.0)  # fmt: skip

    (estimate,) = estimated_performance(fewer_positives, calendar, [kernel, scores])

    (doubt,) = estimate.doubts
    assert doubt.startswith("does not hold: inputs changed (kernel of CT1 on 2026-08-30)")


def test_without_answers_of_readers_nothing_is_estimated():
    silent = [
        StudyRecord(one.study_instance_uid, one.received_at, one.site, one.scanner, one.model, {}, one.numbers,
                    {"flagged": one.events["flagged"]})
        for one in records(140, 6, lambda day: USUAL)
    ]  # fmt: skip
    calendar = Calendar(UTC, date(2026, 5, 20))

    (estimate,) = estimated_performance(silent, calendar, [])
    (series,) = estimated_streams(silent, calendar)

    assert (estimate.figures, estimate.labelled, series.baseline_end) == (None, 0, None)


@pytest.mark.filterwarnings("error")
def test_a_model_that_parts_positives_and_negatives_wholly_is_estimated_without_a_gap_in_its_weeks():
    parted = [
        replace(one, numbers={"score_logit": 30.0 if "missed" in one.events else -30.0})
        for one in records(280, 12, lambda day: 0.05)
    ]

    (series,) = estimated_streams(parted, Calendar(UTC, date(2026, 10, 7)))

    weeks = series.values[6::7]
    assert np.isfinite(weeks).mean() > 0.9
    assert np.nanmax(np.abs(weeks)) < 3
