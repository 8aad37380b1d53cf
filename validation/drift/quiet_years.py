"""Quiet years of many departments through the code that watches the live platform: false alarms against the design."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from validation.drift.daily import STREAMS
from validation.drift.monitor import SILENCE, Design, StreamStatus
from validation.drift.promise import DAYS_PER_YEAR
from validation.drift.rehearsal import rehearse
from validation.drift.scenario import Scenario
from validation.intervals import LEVEL


@dataclass(frozen=True, slots=True)
class QuietYears:
    """What came of departments in which nothing happens; `streams` has (alarms, designed) by the name of a stream.

    `by_site` has the same of each department. `designed` is the mean over baselines as long as theirs, of which nine in
    ten keep the interval that was asked for.
    """

    years: float
    streams: Mapping[str, tuple[int, float]]
    by_site: Sequence[tuple[int, float]]

    @property
    def alarms(self) -> int:
        """The false alarms of all streams together."""
        return sum(found for found, _ in self.by_site)

    @property
    def designed(self) -> float:
        """How many the design says that there are."""
        return sum(said for _, said in self.by_site)

    @property
    def ratio_ci95(self) -> tuple[float, float]:
        """95 % interval of realised over designed alarms; departments vary, each with the luck of its baseline."""
        found, said = np.array(self.by_site).T
        ratio = self.alarms / self.designed
        error = float(np.std(found - ratio * said, ddof=1)) * sqrt(len(found)) / self.designed
        reach = float(stats.t.ppf((1 + LEVEL) / 2, len(found) - 1)) * error
        return max(0.0, ratio - reach), ratio + reach


def quiet_years(scenario: Scenario, seeds: Iterable[int], design: Design) -> QuietYears:
    """Return what the quiet scenario gives when it is drawn again with each seed, each time for another department."""
    found: Counter[str] = Counter()
    said: dict[str, float] = defaultdict(float)
    years, by_site = 0.0, []
    for seed in seeds:
        rehearsal = rehearse(scenario.model_copy(update={"seed": seed, "troubles": ()}), design)
        years += rehearsal.years_watched
        expected = [(one.false_per_year or 0.0) * _years_watched(one, scenario.days) for one in rehearsal.statuses]
        by_site.append((len(rehearsal.false_alarms), sum(expected)))
        for one, chances in zip(rehearsal.statuses, expected, strict=True):
            found[one.key.stream] += len(one.alarms)
            said[one.key.stream] += chances
    return QuietYears(years, {name: (found[name], said[name]) for name in said}, by_site)


def _years_watched(status: StreamStatus, days: int) -> float:
    """Return the years since the baseline of a stream; its first day is broken, its last ones are not in yet."""
    late = 0 if status.key.stream == SILENCE else STREAMS[status.key.stream].matures_after_days
    return max(days - 1 - late - (status.baseline_days or days), 0) / DAYS_PER_YEAR
