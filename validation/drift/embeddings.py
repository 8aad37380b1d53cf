"""What the network sees, week by week against the baseline: the energy distance of the embeddings, as one chart.

Windows do not overlap. Whole days change windows under permutation, since the studies of a day have more in common than
those of two. The permuted distances, fitted by a Pearson type III law (their tail is longer than a normal one), turn
the distance of a week into a standard normal value, so that the chart keeps the limit of all others.

Source: G. Székely, M. Rizzo, Journal of Statistical Planning and Inference 143 (2013) 1249-1272 (energy distance); K.
Berry, P. Mielke, Computational Statistics & Data Analysis 5 (1987) 145-158 (Pearson type III for permutations).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats
from scipy.spatial.distance import cdist

from triage.surveillance import StreamKey, StudyRecord
from validation.drift.baselines import ENOUGH
from validation.drift.daily import FURTHEST, STREAMS, Calendar, DailySeries

Numbers = NDArray[np.float64]
Days = NDArray[np.int64]

STREAM = "embedding"
WINDOW_DAYS = 7
FEWEST = 10
"""Studies of a week; fewer say nothing."""

OF_A_DAY = 12
"""So many studies of each day are compared at most, the first ones: the work grows with the square of all of them."""

PERMUTATIONS = 499


@dataclass(frozen=True, slots=True)
class _Seen:
    """The embeddings (n, d) of one scanner and model, in standard deviations of the baseline; `days` from `begin`."""

    key: StreamKey
    begin: date
    days: Days
    last: int
    baseline_end: int | None
    values: Numbers
    studies: tuple[str, ...]


def embedding_streams(
    records: Sequence[StudyRecord], calendar: Calendar, starts: Mapping[StreamKey, date] | None = None
) -> list[DailySeries]:
    """Return the distance of each scanner and model: a value on the last day of a week, NaN on all other days.

    Arguments are those of `daily_streams`. An embedding of another length than the first (a model whose network was
    exchanged under one name) is left out.
    """
    groups: dict[StreamKey, list[tuple[date, StudyRecord]]] = defaultdict(list)
    for one in sorted(records, key=lambda record: record.received_at):
        if one.embedding:
            key = StreamKey(one.site, one.scanner, one.model, STREAM)
            groups[key].append((calendar.day_of(one.received_at), one))
    return [_series(_of_one(key, own, calendar, (starts or {}).get(key))) for key, own in sorted(groups.items())]


def _of_one(key: StreamKey, dated: Sequence[tuple[date, StudyRecord]], calendar: Calendar, start: date | None) -> _Seen:
    begin = max(dated[0][0] + timedelta(days=1), start or dated[0][0])
    size = len(dated[0][1].embedding)
    own = [(day, one) for day, one in dated if begin <= day <= calendar.last_day and len(one.embedding) == size]
    days = np.array([(day - begin).days for day, _ in own], dtype=np.int64)
    last = (calendar.last_day - begin).days
    # Whole weeks, so that the chart begins with one.
    wanted = -(-calendar.baseline_days // WINDOW_DAYS) * WINDOW_DAYS
    within = days < wanted
    end = wanted if int(within.sum()) >= ENOUGH and wanted <= last else None
    values = np.array([one.embedding for _, one in own]).reshape(len(own), size)
    if within.any():
        spread = values[within].std(axis=0)
        values = (values - values[within].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return _Seen(key, begin, days, last, end, values, tuple(one.study_instance_uid for _, one in own))


def _series(seen: _Seen) -> DailySeries:
    values = np.full(max(seen.last + 1, 0), np.nan)
    if seen.baseline_end is not None:
        baseline = _days_of(seen, range(seen.baseline_end))
        own = _between(baseline, baseline)
        for end in range(WINDOW_DAYS, seen.last + 2, WINDOW_DAYS):
            week = range(end - WINDOW_DAYS, end)
            if int(np.isin(seen.days, week).sum()) < FEWEST:
                continue
            if end <= seen.baseline_end:
                inside = np.isin([day for day, _ in baseline], week)
                values[end - 1] = _deviation(own, _sizes(baseline), inside, end)
                continue
            later = _days_of(seen, week)
            across = _between(baseline, later)
            joint = np.block([[own, across], [across.T, _between(later, later)]])
            inside = np.arange(len(joint)) >= len(baseline)
            values[end - 1] = _deviation(joint, _sizes([*baseline, *later]), inside, end)
        known = values[: seen.baseline_end]
        spread = max(1.0, float(np.nanstd(known))) if np.isfinite(known).any() else 1.0
        values = np.clip(values / spread, -FURTHEST, FURTHEST)
    return DailySeries(
        key=seen.key,
        kind=STREAMS[STREAM].kind,
        first_day=seen.begin,
        values=values,
        baseline_end=seen.baseline_end,
        usual_per_day=len(seen.days) / max(seen.last + 1, 1),
        unit=1.0,
        matures_after_days=0,
        study_days=seen.days,
        scores=np.sqrt(np.sum(seen.values**2, axis=1)),
        studies=seen.studies,
    )


_Day = tuple[int, Numbers]
"""A day with the embeddings of its studies."""


def _days_of(seen: _Seen, days: Sequence[int]) -> list[_Day]:
    found = [(day, seen.values[seen.days == day][:OF_A_DAY]) for day in days]
    return [(day, values) for day, values in found if len(values)]


def _sizes(days: Sequence[_Day]) -> Numbers:
    return np.array([len(values) for _, values in days], dtype=np.float64)


def _between(first: Sequence[_Day], second: Sequence[_Day]) -> Numbers:
    """Return the sums of the distances between the studies of each two days."""
    rows, columns = ([0, *np.cumsum(_sizes(days)).astype(int)[:-1].tolist()] for days in (first, second))
    distances = cdist(np.concatenate([one for _, one in first]), np.concatenate([one for _, one in second]))
    return np.asarray(np.add.reduceat(np.add.reduceat(distances, rows, axis=0), columns, axis=1), dtype=np.float64)


def _deviation(between: Numbers, sizes: Numbers, inside: NDArray[np.bool_], seed: int) -> float:
    """Return the normal score of the distance between the days `inside` and the others, among days permuted."""
    random = np.random.default_rng(seed)
    chosen = np.vstack([inside, random.permuted(np.tile(inside, (PERMUTATIONS, 1)), axis=1)])
    after = chosen @ sizes
    weights = np.where(chosen, 1 / after[:, None], -1 / (sizes.sum() - after)[:, None])
    observed, *drawn = (-np.einsum("ij,ij->i", weights @ between, weights)).tolist()
    spread = float(np.std(drawn))
    if spread == 0.0:
        return 0.0
    law = stats.pearson3(float(stats.skew(drawn)), float(np.mean(drawn)), spread)
    above = float(law.sf(observed))
    return float(-special.ndtri(min(max(above, 1e-12), 1 - 1e-12)))
