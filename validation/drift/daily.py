"""Studies to daily numbers: each stream of each scanner as one standard normal value a day while nothing changes.

Three forms of stream come to the same scale, so that one chart serves all of them. Numbers and categories: each study
becomes the normal score of its rank among the baseline's (a category by how rare it was there), and a day is their sum
over the root of their count. Events: the day's count becomes the randomised quantile residual of a binomial. Volume:
that of a Poisson or negative binomial with the weekday's mean. A day with three studies and one with eighty count
right, no distribution is assumed, and ties are broken by a fixed hash, so that the same studies give the same answer.

Source: P. Dunn, G. Smyth, Journal of Computational and Graphical Statistics 5 (1996) 236-244 (randomised residuals).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from hashlib import blake2b
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from triage.surveillance import StreamKey, StreamKind, StudyRecord
from validation.drift.baselines import ENOUGH

Numbers = NDArray[np.float64]
Days = NDArray[np.int64]

DULLEST = 0.1
"""Correlation below which that of a short baseline is not believed."""

FURTHEST = 5.0
"""Standard deviations that one day can count at most: one absurd day is no change."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What a stream is about, whether it depends on the model, and after how many days its answers are in."""

    kind: StreamKind
    of_model: bool = False
    matures_after_days: int = 0


VOLUME = "volume"
STREAMS: Mapping[str, StreamSpec] = {
    VOLUME: StreamSpec(StreamKind.HEALTH),
    "device": StreamSpec(StreamKind.INPUT),
    "software": StreamSpec(StreamKind.INPUT),
    "protocol": StreamSpec(StreamKind.INPUT),
    "kernel": StreamSpec(StreamKind.INPUT),
    "slice_thickness_mm": StreamSpec(StreamKind.INPUT),
    "pixel_spacing_mm": StreamSpec(StreamKind.INPUT),
    "exposure_mas": StreamSpec(StreamKind.INPUT),
    "age_years": StreamSpec(StreamKind.INPUT),
    "sex": StreamSpec(StreamKind.INPUT),
    "quality_note": StreamSpec(StreamKind.INPUT, of_model=True),
    "out_of_scope": StreamSpec(StreamKind.INPUT, of_model=True),
    "novelty": StreamSpec(StreamKind.INPUT, of_model=True),
    "embedding": StreamSpec(StreamKind.INPUT, of_model=True),
    "score_logit": StreamSpec(StreamKind.OUTPUT, of_model=True),
    "flagged": StreamSpec(StreamKind.OUTPUT, of_model=True),
    "missed": StreamSpec(StreamKind.PERFORMANCE, of_model=True, matures_after_days=7),
    "false_flag": StreamSpec(StreamKind.PERFORMANCE, of_model=True, matures_after_days=7),
    "wrong_place": StreamSpec(StreamKind.PERFORMANCE, of_model=True, matures_after_days=7),
    "estimated_accuracy": StreamSpec(StreamKind.PERFORMANCE, of_model=True),
    "triage_minutes": StreamSpec(StreamKind.SERVICE),
    "reading_minutes": StreamSpec(StreamKind.SERVICE, matures_after_days=7),
}
"""Missed counts among what readers found, false flags among what they did not: neither moves with prevalence.
The estimated accuracy and the embedding are charted by the week: `estimated` and `embeddings` work them out."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days count: the department's zone, the last whole day, and how long a baseline is at least."""

    zone: tzinfo
    last_day: date
    baseline_days: int = 90

    def day_of(self, moment: datetime) -> date:
        """Return the date of the department's wall clock."""
        return moment.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class DailySeries:
    """One value a day from `first_day` on, standard normal in control; NaN where the day says nothing.

    `baseline_end` counts the days of the baseline, None while it is too short. `unit` is what a value of 1 is worth
    in the stream's own unit on a usual day. `sharpness` is the correlation of the values with what they stand for:
    below 1 where ties are broken by lot, and then a baseline that is off moves them less. `scores` and `studies` are of
    single studies, for what is shown of them.
    """

    key: StreamKey
    kind: StreamKind
    first_day: date
    values: Numbers
    baseline_end: int | None
    usual_per_day: float
    unit: float
    matures_after_days: int
    study_days: Days
    scores: Numbers
    studies: tuple[str, ...]
    sharpness: float = 1.0


def daily_streams(
    records: Sequence[StudyRecord], calendar: Calendar, starts: Mapping[StreamKey, date] | None = None
) -> list[DailySeries]:
    """Return every stream that the records feed, in the order of their keys.

    Args:
        records: of any scanners and models, in any order.
        calendar: whole days up to its last one count; a scanner's first day counts as broken and is left out.
        starts: the day on which the baseline of a stream begins anew (a change that was accepted).
    """
    found = []
    for (site, scanner), own in _by(records, lambda one: (one.site, one.scanner)):
        once = list({one.study_instance_uid: one for one in own}.values())
        found += _streams_of(StreamKey(site, scanner, "", ""), once, calendar, starts or {}, of_model=False)
        for (model,), answered in _by([one for one in own if one.model], lambda one: (one.model,)):
            found += _streams_of(StreamKey(site, scanner, model, ""), answered, calendar, starts or {}, of_model=True)
    return found


Group = TypeVar("Group", bound=tuple[str, ...])


def _by(records: Iterable[StudyRecord], group: Callable[[StudyRecord], Group]) -> list[tuple[Group, list[StudyRecord]]]:
    groups: dict[Group, list[StudyRecord]] = defaultdict(list)
    for one in records:
        groups[group(one)].append(one)
    return sorted(groups.items())


@dataclass(frozen=True, slots=True)
class _Studies:
    """The studies of one stream with their days, counted from `first_day`, and where its baseline ends."""

    key: StreamKey
    spec: StreamSpec
    first_day: date
    days: Days
    hashes: NDArray[np.uint64]
    uids: tuple[str, ...]
    last: int
    baseline_end: int | None

    @property
    def in_baseline(self) -> NDArray[np.bool_]:
        return self.days < (self.last + 1 if self.baseline_end is None else self.baseline_end)

    @property
    def usual_per_day(self) -> float:
        return float(self.in_baseline.sum()) / (self.baseline_end or max(self.last + 1, 1))


def _streams_of(
    place: StreamKey,
    records: Sequence[StudyRecord],
    calendar: Calendar,
    starts: Mapping[StreamKey, date],
    of_model: bool,
) -> list[DailySeries]:
    found = []
    ordered = sorted(records, key=lambda one: one.received_at)
    dated = [(calendar.day_of(one.received_at).toordinal(), one) for one in ordered]
    first = calendar.day_of(ordered[0].received_at) if ordered else calendar.last_day
    for name, spec in STREAMS.items():
        if spec.of_model != of_model:
            continue
        key = StreamKey(place.site, place.scanner, place.model, name)
        begin = max(first + timedelta(days=1), starts.get(key, first))
        last = (calendar.last_day - timedelta(days=spec.matures_after_days) - begin).days
        told = [(day - begin.toordinal(), one) for day, one in dated if name == VOLUME or name in one.categories
                or name in one.numbers or name in one.events]  # fmt: skip
        kept = [(day, one) for day, one in told if 0 <= day <= last]
        if kept:
            found.append(_series(key, spec, begin, kept, last, calendar.baseline_days))
    return found


def _series(
    key: StreamKey, spec: StreamSpec, begin: date, kept: Sequence[tuple[int, StudyRecord]], last: int, wanted: int
) -> DailySeries:
    name, days = key.stream, np.array([day for day, _ in kept], dtype=np.int64)
    uids = tuple(one.study_instance_uid for _, one in kept)
    studies = _Studies(key, spec, begin, days, _hashes(uids), uids, last, _baseline_end(days, last, wanted))
    first = kept[0][1]
    if name == VOLUME:
        values, deviation = _of_volume(studies)
        return _finished(studies, values, deviation, np.zeros(len(days)), 1.0)
    if name in first.events:
        return _finished(studies, *_of_events(studies, np.array([one.events[name] for _, one in kept])))
    if name in first.numbers:
        numbers = np.array([one.numbers[name] for _, one in kept])
        spread = float(numbers[studies.in_baseline].std()) or 1.0
    else:
        numbers, spread = _rareness([one.categories[name] for _, one in kept], studies), 1.0
    scores = _normal_scores(numbers, studies)
    counts = np.bincount(days, minlength=last + 1)
    sums = np.bincount(days, weights=scores, minlength=last + 1)
    values = np.where(counts > 0, sums / np.sqrt(np.maximum(counts, 1)), np.nan)
    unit = spread / np.sqrt(max(studies.usual_per_day, 1.0))
    return _finished(studies, values, unit, scores, _sharpness(scores, numbers, studies.in_baseline))


def _baseline_end(days: Days, last: int, wanted: int) -> int | None:
    """Return after how many days the baseline has both its days and its studies, None where it never has."""
    if len(days) < ENOUGH:
        return None
    end = max(wanted, int(days[ENOUGH - 1]) + 1)
    return end if end <= last else None


def _finished(studies: _Studies, values: Numbers, unit: float, scores: Numbers, sharpness: float) -> DailySeries:
    """Divide by how much days of the baseline spread where that is more than chance, and bound single days."""
    own = values[: studies.baseline_end]
    spread = max(1.0, float(np.nanstd(own))) if np.isfinite(own).any() else 1.0
    return DailySeries(
        key=studies.key,
        kind=studies.spec.kind,
        first_day=studies.first_day,
        values=np.clip(values / spread, -FURTHEST, FURTHEST),
        baseline_end=studies.baseline_end,
        usual_per_day=studies.usual_per_day,
        unit=unit * spread,
        matures_after_days=studies.spec.matures_after_days,
        study_days=studies.days,
        scores=scores,
        studies=studies.uids,
        sharpness=sharpness,
    )


def _sharpness(scores: Numbers, stood_for: Numbers, among: NDArray[np.bool_]) -> float:
    """Return the root of the share of the scores' variance that is not the lot between equal values (1 without any)."""
    own = scores[among]
    if not np.var(own) > 0:
        return 1.0
    _, groups, counts = np.unique(stood_for[among], return_inverse=True, return_counts=True)
    means = np.bincount(groups, weights=own) / counts
    return float(np.sqrt(np.var(means[groups]) / np.var(own)))


def _of_volume(studies: _Studies) -> tuple[Numbers, float]:
    """Return the residual of each day's count under the baseline's mean of its weekday, and a usual deviation."""
    counts = np.bincount(studies.days, minlength=studies.last + 1).astype(np.float64)
    weekday = (np.arange(len(counts)) + studies.first_day.weekday()) % 7
    own = slice(None, studies.baseline_end)
    # Half a study more for each weekday, so that a day on which none came in the baseline can bear one.
    means = np.array([(counts[own][weekday[own] == day].sum() + 0.5) / (weekday[own] == day).sum() for day in range(7)])
    means = means[weekday]
    excess = float(np.mean((counts[own] - means[own]) ** 2 - means[own]) / np.mean(means[own] ** 2))
    law = stats.nbinom(1 / excess, 1 / (1 + excess * means)) if excess > 0.0 else stats.poisson(means)
    deviation = float(np.sqrt(means.mean() + max(excess, 0.0) * np.mean(means**2)))
    return _residuals(law.cdf(counts - 1), law.pmf(counts), studies), deviation


def _of_events(studies: _Studies, happened: NDArray[np.bool_]) -> tuple[Numbers, float, Numbers, float]:
    trials = np.bincount(studies.days, minlength=studies.last + 1)
    events = np.bincount(studies.days, weights=happened, minlength=studies.last + 1)
    own = studies.in_baseline
    rate = (float(happened[own].sum()) + 0.5) / (int(own.sum()) + 1)
    law = stats.binom(np.maximum(trials, 1), rate)
    # What never happened in the baseline, or always, is watched without chance: the usual day has the value zero.
    stood_still = len(set(happened[own].tolist())) == 1
    residuals = _residuals(law.cdf(events - 1), law.pmf(events), studies, 0.5 if stood_still else None)
    known = (trials > 0) & (np.arange(len(trials)) < (studies.baseline_end or len(trials)))
    off = (events - trials * rate) / np.sqrt(np.maximum(trials, 1) * rate * (1 - rate))
    varies = known.any() and np.std(residuals[known]) > 0 and np.std(off[known]) > 0
    sharpness = max(float(np.corrcoef(residuals[known], off[known])[0, 1]), DULLEST) if varies else 1.0
    unit = float(np.sqrt(rate * (1 - rate) / max(studies.usual_per_day, 1.0))) / sharpness
    return np.where(trials > 0, residuals, np.nan), unit, np.where(happened, 1.0, 0.0), sharpness


def _residuals(below: Numbers, share: Numbers, studies: _Studies, place: float | None = None) -> Numbers:
    """Return the normal quantile of a place within the probability of each count, drawn evenly where none is given."""
    dates = studies.first_day.toordinal() + np.arange(len(below))
    drawn = _drawn(dates.astype(np.uint64), studies.key) if place is None else place
    found: Numbers = _quantiles(below + drawn * share)
    return found


def _rareness(texts: Sequence[str], studies: _Studies) -> Numbers:
    """Return how rare the category of each study is in the baseline; one that is not there is the rarest."""
    own = studies.in_baseline
    known = Counter(text for text, is_own in zip(texts, own, strict=True) if is_own)
    return np.array([-float(known[text]) for text in texts])


def _normal_scores(numbers: Numbers, studies: _Studies) -> Numbers:
    baseline = np.sort(numbers[studies.in_baseline])
    low, high = (np.searchsorted(baseline, numbers, side=side) for side in ("left", "right"))
    # Where all of the baseline is one value, that value is no news: nothing is drawn, and its score is zero.
    drawn = _drawn(studies.hashes, studies.key) if baseline[0] < baseline[-1] else 0.5
    found: Numbers = _quantiles((low + drawn * (high - low + 1)) / (len(baseline) + 1))
    return found


def _quantiles(shares: Numbers) -> Numbers:
    found: Numbers = special.ndtri(np.clip(shares, 1e-12, 1 - 1e-12))
    return found


def _hashes(uids: Sequence[str]) -> NDArray[np.uint64]:
    digests = b"".join(blake2b(uid.encode(), digest_size=8).digest() for uid in uids)
    return np.frombuffer(digests, dtype=np.uint64)


def _drawn(numbers: NDArray[np.uint64], key: StreamKey) -> Numbers:
    """Return a number from 0 to 1 for each: evenly spread, and always the same (SplitMix64, Steele et al. 2014)."""
    name = "|".join((key.site, key.scanner, key.model, key.stream))
    seed = int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
    with np.errstate(over="ignore"):
        mixed = numbers * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    drawn: Numbers = mixed.astype(np.float64) / 2.0**64
    return drawn
