"""What differs between the studies before and after a day: all inputs at once, then each stream by itself.

The windows do not overlap, and days change windows as a whole under permutation, since studies of one day have more in
common than those of two. The joint test says whether anything differs; each stream's own p-value, adjusted for how
many there are (Holm), says what; the share of the joint distance that goes when a stream is left out says how much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo

import numpy as np
from numpy.typing import NDArray

from triage.errors import InvalidDataset
from triage.surveillance import StudyRecord
from validation.drift.streams import FEWEST, TwoSample, categories, energy_distance
from validation.statistics.multiplicity import holm

Numbers = NDArray[np.float64]

WINDOW_DAYS = 28
LARGEST_WINDOW = 400
"""Studies; of more, evenly spaced ones are compared: the distances of all pairs are held in memory."""

SHOWN_STUDIES = 10
EMBEDDING = "embedding"
USUAL_SHARE = 0.01
"""A text in less than so many of the earlier studies is rare; the joint distance knows texts by being rare or not."""


@dataclass(frozen=True, slots=True)
class StreamDifference:
    """One stream in two windows: means of numbers, or the commonest texts; `p` is adjusted for the other streams.

    `share_of_distance` of the joint distance goes when the stream is left out; None where it is not part of it.
    """

    stream: str
    before: float | str
    after: float | str
    p: float
    method: str
    share_of_distance: float | None


@dataclass(frozen=True, slots=True)
class InputDifference:
    """The joint test, the streams with the strongest evidence first, and the later studies least like the earlier."""

    before: tuple[date, date]
    after: tuple[date, date]
    studies_before: int
    studies_after: int
    joint: TwoSample
    streams: tuple[StreamDifference, ...]
    studies: tuple[str, ...]


def difference(records: Sequence[StudyRecord], changed_on: date, last: date, zone: tzinfo) -> InputDifference:
    """Return what differs between the 28 days before `changed_on` and the days from it to `last`, 28 at most.

    Args:
        records: of one scanner (and one model version, if any).
        changed_on: first day of the later window.
        last: last day of the later window, if it is not longer than the earlier one.
        zone: whose days they are.

    Raises:
        InvalidDataset: a window has fewer than two days with studies.
    """
    first = changed_on - timedelta(days=WINDOW_DAYS)
    last = min(last, changed_on + timedelta(days=WINDOW_DAYS - 1))
    dated = [(one.received_at.astimezone(zone).date(), one) for one in records]
    before = _thinned([(day, one) for day, one in dated if first <= day < changed_on])
    after = _thinned([(day, one) for day, one in dated if changed_on <= day <= last])
    for name, window in (("before", before), ("after", after)):
        if len({day for day, _ in window}) < FEWEST:
            raise InvalidDataset(f"window {name} {changed_on}: studies on fewer than {FEWEST} days, needed more")
    names = sorted({name for _, one in (*before, *after) for name in (*one.numbers, *one.categories)})
    days = [day for day, _ in (*before, *after)]
    columns = {name: column for name in names if (column := _column(name, before, after)) is not None}
    if (seen := _seen(before, after)) is not None:
        columns[EMBEDDING] = seen
    joint, shares = _joint(columns, days, len(before))
    tests = {name: _test(name, before, after) for name in names}
    if seen is not None:
        tests[EMBEDDING] = _test_of_seen(seen, days, len(before))
    told = {name: test for name, test in tests.items() if test is not None}
    adjusted = holm([test[0].p for test in told.values()])
    streams = [
        StreamDifference(name, test[1], test[2], p, test[0].method, shares.get(name))
        for (name, test), p in zip(told.items(), adjusted, strict=True)
    ]
    strange = _strangest(np.column_stack(list(columns.values()))[len(before) :], after)
    return InputDifference(
        before=(first, changed_on - timedelta(days=1)),
        after=(changed_on, last),
        studies_before=len(before),
        studies_after=len(after),
        joint=joint,
        streams=tuple(sorted(streams, key=lambda one: (one.p, -(one.share_of_distance or 0.0)))),
        studies=strange,
    )


Window = Sequence[tuple[date, StudyRecord]]


def _thinned(window: Window) -> Window:
    if len(window) <= LARGEST_WINDOW:
        return window
    return [window[place] for place in np.linspace(0, len(window) - 1, LARGEST_WINDOW).round().astype(int).tolist()]


def _column(name: str, before: Window, after: Window) -> Numbers | None:
    """Return the stream in standard deviations from its earlier mean, 0 where a study lacks it; None if it stood still.

    A text is 1 where it was rare before, else 0.
    """
    if any(name in one.numbers for _, one in before):
        values = np.array([one.numbers.get(name, np.nan) for _, one in (*before, *after)])
    else:
        earlier = [one.categories.get(name, "") for _, one in before]
        usual = {text for text in set(earlier) if earlier.count(text) >= USUAL_SHARE * len(earlier)}
        values = np.array([float(one.categories.get(name, "") not in usual) for _, one in (*before, *after)])
    if np.nanmin(values) == np.nanmax(values):
        return None
    own = values[: len(before)]
    spread = float(np.nanstd(own)) or float(np.nanstd(values))
    column: Numbers = np.nan_to_num((values - float(np.nanmean(own))) / spread)
    return column


def _seen(before: Window, after: Window) -> Numbers | None:
    """Return the embeddings in standard deviations of the earlier ones, scaled to weigh as much as one other stream.

    None unless every study has one, all of the same length.
    """
    found = [one.embedding for _, one in (*before, *after)]
    if not found[0] or len({len(one) for one in found}) > 1:
        return None
    values = np.array(found)
    own = values[: len(before)]
    spread = own.std(axis=0)
    scaled: Numbers = (values - own.mean(axis=0)) / np.where(spread > 0, spread, 1.0) / np.sqrt(values.shape[1])
    return scaled


def _test_of_seen(seen: Numbers, days: Sequence[date], count: int) -> tuple[TwoSample, float | str, float | str]:
    """Return the test of the embeddings, and how far the means of the windows lie from the earlier one."""
    after = float(np.linalg.norm(seen[count:].mean(axis=0)))
    return energy_distance(seen[:count], seen[count:], days), 0.0, after


def _joint(columns: dict[str, Numbers], days: Sequence[date], count: int) -> tuple[TwoSample, dict[str, float]]:
    if not columns:
        return TwoSample(0.0, 1.0, "nothing varies"), {}
    whole = np.column_stack(list(columns.values()))
    joint = energy_distance(whole[:count], whole[count:], days)
    shares = {}
    for name in columns:
        rest = np.column_stack([np.zeros(len(days)), *(one for other, one in columns.items() if other != name)])
        left = energy_distance(rest[:count], rest[count:], permutations=1).statistic
        shares[name] = max(0.0, 1 - left / joint.statistic) if joint.statistic > 0 else 0.0
    return joint, shares


def _test(name: str, before: Window, after: Window) -> tuple[TwoSample, float | str, float | str] | None:
    windows = [[(day, one) for day, one in window if name in one.numbers or name in one.categories]
               for window in (before, after)]  # fmt: skip
    if min(len({day for day, _ in window}) for window in windows) < FEWEST:
        return None
    first, second = windows
    if name in first[0][1].numbers:
        values = [np.array([one.numbers[name] for _, one in window]) for window in windows]
        found = energy_distance(values[0], values[1], [day for day, _ in (*first, *second)])
        return found, float(values[0].mean()), float(values[1].mean())
    texts = [[one.categories[name] for _, one in window] for window in windows]
    commonest = [max(sorted(set(own)), key=own.count) for own in texts]
    return categories(texts[0], texts[1]), commonest[0], commonest[1]


def _strangest(columns: Numbers, after: Window) -> tuple[str, ...]:
    order = np.argsort(-np.sum(columns**2, axis=1), kind="stable")[:SHOWN_STUDIES]
    return tuple(after[place][1].study_instance_uid for place in order.tolist())
