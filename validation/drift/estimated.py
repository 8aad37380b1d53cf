"""Performance that scores alone tell, watched: the balanced accuracy that each week's scores imply, as one chart.

What readers said about the studies of the baseline calibrates the scores. Of a later week the prevalence is estimated
first, the calibrated scores are moved to it, and their sums above and below the threshold are the expected sensitivity
and specificity. Weeks drawn from the baseline's own scores at that prevalence say how far it strays by chance, so that
a change of prevalence alone is none. The assumption, that positives and negatives look as they did, fails where
inputs or readers' verdicts have changed: what was noticed there is said beside the estimate.

Source: as in `label_free`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from triage.surveillance import Alarm, StreamKey, StreamKind, StudyRecord
from validation.drift.baselines import ENOUGH
from validation.drift.daily import FURTHEST, STREAMS, Calendar, DailySeries
from validation.drift.label_free import ASSUMPTIONS, PeriodFigures, Reference, calibrate, estimate_periods

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

STREAM = "estimated_accuracy"
WINDOW_DAYS, SHOWN_DAYS = 7, 28
"""Of a point of the chart, and of the estimates that are shown."""

FEWEST_SCORES = 20
"""Of a week; fewer say nothing."""

FEWEST_OF_A_KIND = 20
"""Positives and negatives with a reader's answer, for a calibration."""

WEEKS_DRAWN = 200
STEPS = 15
"""Of Newton's method for the prevalence, whose likelihood is concave."""

EDGE = 1e-4
DRAWS = 200
"""Of the bootstrap behind the intervals that are shown."""


@dataclass(frozen=True, slots=True)
class EstimatedPerformance:
    """What the scores of 28 days say about a model at a site, from `labelled` answers of readers in the baseline.

    `figures` is None while too few answers or scores are there. `doubts` are changes noticed elsewhere under which the
    estimate need not be true; without one it rests on the `assumptions` all the same.
    """

    site: str
    model: str
    first: date
    last: date
    labelled: int
    figures: PeriodFigures | None
    doubts: tuple[str, ...]
    assumptions: str = ASSUMPTIONS


def estimated_streams(
    records: Sequence[StudyRecord], calendar: Calendar, starts: Mapping[StreamKey, date] | None = None
) -> list[DailySeries]:
    """Return the estimate of each scanner and model: a value on the last day of a week, NaN on all other days.

    Arguments are those of `daily_streams`.
    """
    return [_series(one) for one in _scored(records, calendar, starts or {})]


def estimated_performance(
    records: Sequence[StudyRecord],
    calendar: Calendar,
    alarms: Sequence[Alarm],
    starts: Mapping[StreamKey, date] | None = None,
) -> list[EstimatedPerformance]:
    """Return what the scores of the last 28 days say about each model, all scanners of a site together.

    Args:
        records: as for `estimated_streams`.
        calendar: as there.
        alarms: those that are not closed; of inputs and of readers' verdicts they are doubts.
        starts: as there.
    """
    by_model: dict[tuple[str, str], list[_Scores]] = defaultdict(list)
    for one in _scored(records, calendar, starts or {}):
        by_model[(one.key.site, one.key.model)].append(one)
    first = calendar.last_day - timedelta(days=SHOWN_DAYS - 1)
    answer = []
    for (site, model), own in sorted(by_model.items()):
        truth, known = (np.concatenate([getattr(one.baseline, name) for one in own]) for name in ("truth", "known"))
        scores = np.concatenate([one.baseline.scores for one in own])[known]
        late = [one.since(first) for one in own]
        now, flagged = np.concatenate([one.scores for one in late]), np.concatenate([one.flagged for one in late])
        figures = None
        if _is_enough(truth[known]) and len(now) >= FEWEST_SCORES and flagged.any():
            reference = Reference(truth[known], scores)
            threshold = float(now[flagged].min())
            (figures,) = estimate_periods(reference, {f"{first} to {calendar.last_day}": now}, threshold, DRAWS, 1)
        doubts = tuple(_doubt(one) for one in alarms if _is_doubt(one, site, model))
        answer.append(EstimatedPerformance(site, model, first, calendar.last_day, int(known.sum()), figures, doubts))
    return answer


@dataclass(frozen=True, slots=True)
class _Part:
    """Scores of some studies, with what readers said where `known`."""

    scores: Numbers
    flagged: Flags
    truth: Flags
    known: Flags


@dataclass(frozen=True, slots=True)
class _Scores:
    """The scored studies of one scanner and model; `days` are counted from `begin`, `last` is the last whole one."""

    key: StreamKey
    begin: date
    days: NDArray[np.int64]
    last: int
    baseline_end: int | None
    all: _Part
    studies: tuple[str, ...]

    def part(self, among: Flags) -> _Part:
        whole = self.all
        return _Part(whole.scores[among], whole.flagged[among], whole.truth[among], whole.known[among])

    @property
    def baseline(self) -> _Part:
        return self.part(self.days < (self.last + 1 if self.baseline_end is None else self.baseline_end))

    def since(self, first: date) -> _Part:
        return self.part(self.days >= (first - self.begin).days)


def _scored(records: Sequence[StudyRecord], calendar: Calendar, starts: Mapping[StreamKey, date]) -> list[_Scores]:
    groups: dict[StreamKey, list[tuple[date, StudyRecord]]] = defaultdict(list)
    for one in sorted(records, key=lambda record: record.received_at):
        if "score_logit" in one.numbers and "flagged" in one.events:
            key = StreamKey(one.site, one.scanner, one.model, STREAM)
            groups[key].append((calendar.day_of(one.received_at), one))
    return [_of_one(key, own, calendar, starts.get(key)) for key, own in sorted(groups.items())]


def _of_one(
    key: StreamKey, dated: Sequence[tuple[date, StudyRecord]], calendar: Calendar, start: date | None
) -> _Scores:
    begin = max(dated[0][0] + timedelta(days=1), start or dated[0][0])
    own = [(day, one) for day, one in dated if begin <= day <= calendar.last_day]
    days = np.array([(day - begin).days for day, _ in own], dtype=np.int64)
    last = (calendar.last_day - begin).days
    whole = _Part(
        scores=np.array([one.numbers["score_logit"] for _, one in own]),
        flagged=np.array([one.events["flagged"] for _, one in own], dtype=np.bool_),
        truth=np.array(["missed" in one.events for _, one in own], dtype=np.bool_),
        known=np.array([not one.events.keys().isdisjoint(("missed", "false_flag")) for _, one in own], dtype=np.bool_),
    )
    # Whole weeks, so that the chart begins with one.
    wanted = -(-calendar.baseline_days // WINDOW_DAYS) * WINDOW_DAYS
    within = days < wanted
    enough = int(within.sum()) >= ENOUGH and _is_enough(whole.truth[within & whole.known])
    end = wanted if enough and wanted <= last else None
    return _Scores(key, begin, days, last, end, whole, tuple(one.study_instance_uid for _, one in own))


def _is_enough(truth: Flags) -> bool:
    return min(int(truth.sum()), int((~truth).sum())) >= FEWEST_OF_A_KIND


def _series(own: _Scores) -> DailySeries:
    values, unit, certainty = np.full(max(own.last + 1, 0), np.nan), 1.0, np.zeros(len(own.days))
    if own.baseline_end is not None:
        base = own.baseline
        calibration = calibrate(base.truth[base.known], base.scores[base.known])
        calibrated = calibration.of(own.all.scores)
        law = _Law(calibration.of(base.scores), base.flagged)
        certainty = np.abs(2 * calibrated - 1)
        for end in range(WINDOW_DAYS, own.last + 2, WINDOW_DAYS):
            inside = (own.days >= end - WINDOW_DAYS) & (own.days < end)
            if int(inside.sum()) >= FEWEST_SCORES:
                values[end - 1], unit = law.deviation(calibrated[inside], own.all.flagged[inside], end)
        known = values[: own.baseline_end]
        spread = max(1.0, float(np.nanstd(known))) if np.isfinite(known).any() else 1.0
        values, unit = np.clip(values / spread, -FURTHEST, FURTHEST), unit * spread
    return DailySeries(
        key=own.key,
        kind=STREAMS[STREAM].kind,
        first_day=own.begin,
        values=values,
        baseline_end=own.baseline_end,
        usual_per_day=len(own.days) / max(own.last + 1, 1),
        unit=unit,
        matures_after_days=0,
        study_days=own.days,
        scores=certainty,
        studies=own.studies,
    )


@dataclass(frozen=True, slots=True)
class _Law:
    """How the estimate of a week strays by chance: the baseline's calibrated scores, and whether they were flagged."""

    calibrated: Numbers
    flagged: Flags

    def deviation(self, calibrated: Numbers, flagged: Flags, seed: int) -> tuple[float, float]:
        """Return how many standard deviations the estimate of a week lies from that of drawn ones, and what one is."""
        usual = float(self.calibrated.mean())
        (share,), (found,) = _balanced_accuracy(calibrated[None, :], flagged[None, :], usual)
        weights = self.calibrated * share / usual + (1 - self.calibrated) * (1 - share) / (1 - usual)
        random = np.random.default_rng(seed)
        rows = random.choice(len(weights), (WEEKS_DRAWN, len(calibrated)), p=weights / weights.sum())
        _, drawn = _balanced_accuracy(self.calibrated[rows], self.flagged[rows], usual)
        spread = float(np.nanstd(drawn)) if np.isfinite(drawn).any() else 0.0
        return (float(found - np.nanmean(drawn)) / spread if spread > 0 else 0.0), spread


def _balanced_accuracy(calibrated: Numbers, flagged: Flags, usual: float) -> tuple[Numbers, Numbers]:
    """Return the estimated prevalence and (sensitivity + specificity) / 2 of weeks, shape (weeks, studies) each.

    NaN where no study of a week can be positive, or none negative: the other half is then half an answer.
    """
    positive, negative = calibrated / usual, (1 - calibrated) / (1 - usual)
    share = np.full((len(calibrated), 1), usual)
    for _ in range(STEPS):
        slopes = (positive - negative) / (share * positive + (1 - share) * negative)
        curve = np.mean(slopes**2, axis=1, keepdims=True)
        step = np.mean(slopes, axis=1, keepdims=True) / np.where(curve > 0, curve, 1.0)
        share = np.clip(share + step, EDGE, 1 - EDGE)
    moved = share * positive / (share * positive + (1 - share) * negative)
    sick, well = moved.sum(axis=1), (1 - moved).sum(axis=1)
    right = np.where(flagged, moved, 0.0).sum(axis=1) / np.where(sick > 0, sick, np.nan)
    other = np.where(flagged, 0.0, 1 - moved).sum(axis=1) / np.where(well > 0, well, np.nan)
    return share[:, 0], (right + other) / 2


def _is_doubt(alarm: Alarm, site: str, model: str) -> bool:
    told = alarm.kind is StreamKind.INPUT or (alarm.kind is StreamKind.PERFORMANCE and alarm.key.stream != STREAM)
    return told and alarm.key.site == site and alarm.key.model in ("", model)


def _doubt(alarm: Alarm) -> str:
    what = "inputs" if alarm.kind is StreamKind.INPUT else "readers’ verdicts"
    return (
        f"does not hold: {what} changed ({alarm.key.stream} of {alarm.key.scanner} on {alarm.changed_on}), "
        "so positives and negatives need no longer look like those of the baseline"
    )
