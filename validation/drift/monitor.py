"""Every stream of every scanner of a site under one promise: all of them together give one false alarm in so long.

Each stream is a daily value that is standard normal in control (`daily`), so one two-sided CUSUM serves them all. Its
limit is solved for all charts of a site together and for baselines that are estimates: nine in ten sites keep the
interval. Silence has its share of the interval (`silence`).
"""

from collections import ChainMap, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial

import numpy as np
from numpy.typing import NDArray

from triage.surveillance import Alarm, StreamKey, StreamKind, StudyRecord
from validation.drift.charts import ChartRun, run_cusum
from validation.drift.daily import VOLUME, Calendar, DailySeries, daily_streams
from validation.drift.designs import Cusum
from validation.drift.embeddings import embedding_streams
from validation.drift.estimated import estimated_streams
from validation.drift.promise import DAYS_PER_YEAR, REFERENCE_VALUE, Basis, SharedLimit, shared_limit
from validation.drift.silence import ArrivalWatch, Silence, watch_arrivals

Numbers = NDArray[np.float64]

SILENCE = "silence"
WHOLE_SITE = ""
"""In place of a scanner's name: the silence of all scanners of a site together, where there are several."""

STILL = 0.05
"""Standard deviations of a day: values that are not drawn by lot, of a stream whose studies are all alike."""

SHOWN_STUDIES = 10
FOUND_WITHIN_DAYS = 28
"""The smallest change that is named beside a chart is found within so many days on average."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """Where one stream stands: health is "learning", "watching", "alarm" or "silent".

    `smallest_change` is found within 28 days on average at this volume, in the stream's own unit (a share for events,
    standard deviations of the rarity for categories, hours for silence). `false_per_year` is how many alarms come of it
    by chance, on average over baselines as long as this one.
    """

    key: StreamKey
    kind: StreamKind
    health: str
    usual_per_day: float
    statistic: float | None = None
    limit: float | None = None
    smallest_change: float | None = None
    baseline_days: int | None = None
    false_per_year: float | None = None
    alarms: tuple[Alarm, ...] = ()
    days: DailySeries | None = field(default=None, repr=False, compare=False)
    """What is charted; None while it learns, and of silence."""


@dataclass(frozen=True, slots=True)
class ChartDay:
    """One day of a chart in standard deviations of a day: its value, None where it says nothing, and both sums."""

    day: date
    value: float | None
    upper: float
    lower: float


@dataclass(frozen=True, slots=True)
class Design:
    """The promise: at most one false alarm in `years_between_false_alarms` of all streams of a site together."""

    years_between_false_alarms: float = 1.0


@dataclass(frozen=True, slots=True)
class Watch:
    """What people decided: on which day a stream's baseline begins anew, and its chart starts again at zero."""

    baselines: Mapping[StreamKey, date] = field(default_factory=dict)
    restarts: Mapping[StreamKey, date] = field(default_factory=dict)


def check(
    records: Sequence[StudyRecord], now: datetime, calendar: Calendar, design: Design, watch: Watch | None = None
) -> list[StreamStatus]:
    """Return the status of every stream that the records feed, with every alarm since its baseline.

    A chart starts again at zero after each alarm. Days in which a scanner was silent say nothing about its volume.
    """
    watch = watch or Watch()
    silences = _silences(records, now, calendar, design)
    answer = [_silence_status(key, found, calendar) for key, found in silences.items()]
    by_site: dict[str, list[DailySeries]] = defaultdict(list)
    asked = (records, calendar, watch.baselines)
    for one in (*daily_streams(*asked), *estimated_streams(*asked), *embedding_streams(*asked)):
        by_site[one.key.site].append(_without_silence(one, silences, calendar))
    for site, series in by_site.items():
        others = sum(found is not None for key, found in silences.items() if key.site == site)
        bases = tuple(sorted(_charted(one) for one in series if one.baseline_end and not _stood_still(one)))
        shared = shared_limit(bases, others, design.years_between_false_alarms)
        answer += [_status(one, shared, watch.restarts.get(one.key)) for one in series]
    return sorted(answer, key=lambda one: one.key)


def chart_days(status: StreamStatus, restart: date | None, most: int) -> list[ChartDay]:
    """Return the newest `most` days of a stream's chart, empty where it has none; sums begin at zero after an alarm.

    `restart` is the day from which people have it watched anew (`Watch.restarts`).
    """
    series = status.days
    if series is None or series.baseline_end is None or status.limit is None:
        return []
    chart, values = Cusum(REFERENCE_VALUE, status.limit, 2), series.values
    upper, lower = np.zeros(len(values)), np.zeros(len(values))
    start = max(series.baseline_end, 0 if restart is None else (restart - series.first_day).days)
    while start < len(values):
        run = run_cusum(chart, values, start)
        end = len(values) if run.alarm_index is None else run.alarm_index + 1
        upper[start:end] = run.upper[start:end]
        if run.lower is not None:
            lower[start:end] = run.lower[start:end]
        start = end
    return [
        ChartDay(
            series.first_day + timedelta(days=row),
            float(values[row]) if np.isfinite(values[row]) else None,
            float(upper[row]),
            float(lower[row]),
        )
        for row in range(max(0, len(values) - most), len(values))
    ]


def leading(alarms: Sequence[Alarm]) -> Alarm:
    """Return the alarm that says best what changed: the largest change of a day's mean; a silence before all."""
    return max(alarms, key=lambda one: (one.key.stream == SILENCE, abs(one.size)))


def _charted(series: DailySeries) -> Basis:
    """Return what the chart of a stream rests on."""
    known = np.isfinite(series.values[: series.baseline_end])
    return Basis(int(known.sum()), round(float(known.mean()), 2), round(series.sharpness, 2))


def _stood_still(series: DailySeries) -> bool:
    """Return whether nothing varied in the baseline; such a stream watches, and cannot alarm by chance."""
    return bool(np.nanstd(series.values[: series.baseline_end]) < STILL)


def _status(series: DailySeries, shared: SharedLimit, restart: date | None) -> StreamStatus:
    told = StreamStatus(series.key, series.kind, "learning", series.usual_per_day)
    if series.baseline_end is None:
        return told
    chart = Cusum(REFERENCE_VALUE, shared.limit, 2)
    start = max(series.baseline_end, 0 if restart is None else (restart - series.first_day).days)
    alarms: list[Alarm] = []
    values, run = series.values, run_cusum(chart, series.values, start)
    while run.alarm_index is not None:
        changed = _dated(values, max(start, run.first_changed_index or 0), run)
        alarms.append(_alarm(series, chart.limit, float(run.statistic[run.alarm_index]), run.alarm_side or "",
                             run.alarm_index, changed))  # fmt: skip
        start = run.alarm_index + 1
        run = run_cusum(chart, values, start)
    basis = _charted(series)
    smallest = chart.smallest_change(FOUND_WITHIN_DAYS * basis.observed) if basis.observed else None
    return replace(
        told,
        health="watching",
        days=series,
        statistic=float(run.statistic[-1]) if len(run.statistic) else 0.0,
        limit=chart.limit,
        smallest_change=None if smallest is None else smallest * series.unit,
        baseline_days=series.baseline_end,
        false_per_year=0.0 if _stood_still(series) else shared.false_per_year[basis],
        alarms=tuple(alarms),
    )


def _dated(values: Numbers, earliest: int, run: ChartRun) -> int:
    """Return the most likely first row of the change since the statistic was last zero: rows without a value before
    the first changed value belong to it.

    Source: the maximum of the likelihood for a step of a normal mean, D. Hinkley, Biometrika 57 (1970) 1-17.
    """
    rows = np.flatnonzero(np.isfinite(values[earliest : (run.alarm_index or 0) + 1])) + earliest
    signed = values[rows] if run.alarm_side == "upper" else -values[rows]
    sums, counts = np.cumsum(signed[::-1])[::-1], np.arange(len(rows), 0, -1)
    best = int(np.argmax(sums / np.sqrt(counts)))
    return int(rows[best - 1]) + 1 if best else earliest


def _alarm(series: DailySeries, limit: float, statistic: float, side: str, row: int, changed: int) -> Alarm:
    size = float(np.nanmean(series.values[changed : row + 1]))
    inside = np.flatnonzero((series.study_days >= changed) & (series.study_days <= row))
    signed = series.scores[inside] if side == "upper" else -series.scores[inside]
    best = inside[np.argsort(-signed, kind="stable")[:SHOWN_STUDIES]]
    noticed = series.first_day + timedelta(days=row + series.matures_after_days)
    return Alarm(
        series.key, series.kind, noticed, series.first_day + timedelta(days=changed), side, statistic, limit, size,
        tuple(series.studies[place] for place in best), size * series.unit,
    )  # fmt: skip


def _silences(
    records: Sequence[StudyRecord], now: datetime, calendar: Calendar, design: Design
) -> dict[StreamKey, ArrivalWatch | None]:
    """Return the watch over each scanner, and over each site of several; each has one share of the interval."""
    arrivals: dict[str, dict[str, dict[str, datetime]]] = defaultdict(lambda: defaultdict(dict))
    streams: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for one in records:
        arrivals[one.site][one.scanner][one.study_instance_uid] = one.received_at
        streams[one.site].update((one.scanner, one.model, name) for name in
                                 (*one.categories, *one.numbers, *one.events, VOLUME, SILENCE))  # fmt: skip
    found: dict[StreamKey, ArrivalWatch | None] = {}
    for site, by_scanner in sorted(arrivals.items()):
        is_one_of_several = len(by_scanner) > 1
        years = design.years_between_false_alarms * (len(streams[site]) + is_one_of_several)
        watch = partial(_arrivals_watched, now=now, calendar=calendar, years=years)
        whole = watch(dict(ChainMap(*by_scanner.values()))) if is_one_of_several else None
        for scanner, times in by_scanner.items():
            found[StreamKey(site, scanner, "", SILENCE)] = watch(times, of_site=whole.silences if whole else ())
        if is_one_of_several:
            found[StreamKey(site, WHOLE_SITE, "", SILENCE)] = whole
    return found


def _arrivals_watched(
    times: Mapping[str, datetime], now: datetime, calendar: Calendar, years: float, of_site: Sequence[Silence] = ()
) -> ArrivalWatch | None:
    return watch_arrivals(sorted(times.values()), now, calendar.baseline_days, calendar.zone, years, of_site)


def _silence_status(key: StreamKey, watch: ArrivalWatch | None, calendar: Calendar) -> StreamStatus:
    if watch is None:
        return StreamStatus(key, StreamKind.HEALTH, "learning", 0.0)
    alarms = tuple(
        Alarm(
            key, StreamKind.HEALTH, calendar.day_of(one.noticed_at), calendar.day_of(one.since), "lower",
            one.expected, watch.limit, one.expected,
        )
        for one in watch.silences if not one.is_of_site
    )  # fmt: skip
    lasting = [one.expected for one in watch.silences if not one.is_over]
    return StreamStatus(
        key=key,
        kind=StreamKind.HEALTH,
        health="silent" if lasting else "watching",
        usual_per_day=watch.per_year / DAYS_PER_YEAR,
        statistic=max(lasting, default=0.0),
        limit=watch.limit,
        smallest_change=watch.longest_hours,
        baseline_days=calendar.baseline_days,
        false_per_year=watch.false_per_year,
        alarms=alarms,
    )


def _without_silence(
    series: DailySeries, silences: Mapping[StreamKey, ArrivalWatch | None], calendar: Calendar
) -> DailySeries:
    watch = silences.get(StreamKey(series.key.site, series.key.scanner, "", SILENCE))
    if series.key.stream != VOLUME or watch is None or not watch.silences:
        return series
    values = series.values.copy()
    for one in watch.silences:
        first, last = ((calendar.day_of(end) - series.first_day).days for end in (one.since, one.until))
        values[max(first, 0) : last + 1] = np.nan
    return replace(series, values=values)
