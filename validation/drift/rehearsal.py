"""A department in trouble, rehearsed: records of months drawn from a scenario, and what the monitor makes of them.

Nothing is analysed: what would be stored of each study (header, score, novelty, verdict) is drawn, and goes through the
very code that watches the live platform. Scores are log odds of an equal-variance binormal model, calibrated at the
first prevalence, so that what a trouble does to performance is known exactly.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from math import ceil, log

import numpy as np

from triage.surveillance import Alarm, StudyRecord
from validation.drift.daily import Calendar
from validation.drift.monitor import SILENCE, Design, StreamStatus, check, leading
from validation.drift.promise import DAYS_PER_YEAR
from validation.drift.scenario import Scanner, Scenario, Trouble, changed

HOURLY = (1, 1, 1, 1, 1, 1, 2, 4, 7, 8, 8, 8, 7, 7, 8, 8, 7, 5, 4, 4, 3, 3, 2, 2)
WEEKDAYS = (1.1, 1.1, 1.1, 1.1, 1.0, 0.8, 0.8)
"""Usual arrivals by hour and weekday, relative to the mean."""

READ_BY_READERS = 0.8
"""Share of studies about which a reader's answer is known."""

NAMES: dict[str, frozenset[str]] = {
    "kernel": frozenset({"kernel"}),
    "vendor": frozenset({"device"}),
    "dose": frozenset({"exposure_mas"}),
    "logo": frozenset({"novelty", "embedding", "quality_note", "out_of_scope"}),
    "prevalence": frozenset({"score_logit", "flagged"}),
    "mute": frozenset({SILENCE}),
    "model": frozenset({"score_logit", "flagged", "missed", "false_flag", "estimated_accuracy"}),
}
"""Which streams name a trouble rightly."""

GROUPED_WITHIN = timedelta(days=28)
"""Alarms of one scanner that are noticed so close together are about one thing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A planted trouble and what the monitor said first about its scanner since then; None where it said nothing."""

    trouble: Trouble
    named: Alarm | None
    first_noticed_on: date | None

    @property
    def is_named_right(self) -> bool:
        """Whether the leading stream is one that the trouble acts on."""
        return self.named is not None and self.named.key.stream in NAMES[self.trouble.kind]

    @property
    def error_days(self) -> int | None:
        """Days from when it began to when the alarm dates the change."""
        return None if self.named is None else (self.named.changed_on - self.trouble.begins).days

    @property
    def delay_days(self) -> int | None:
        """Days from when it began to the first alarm."""
        return None if self.first_noticed_on is None else (self.first_noticed_on - self.trouble.begins).days


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of a scenario: every stream's status, each trouble's finding, and the alarms that no trouble caused."""

    scenario: Scenario
    studies: int
    statuses: tuple[StreamStatus, ...]
    findings: tuple[Finding, ...]
    false_alarms: tuple[Alarm, ...]
    years_watched: float


def rehearse(scenario: Scenario, design: Design) -> Rehearsal:
    """Return what the monitor says about the scenario, from its first day to its last."""
    records = list(draw_records(scenario))
    last = scenario.start + timedelta(days=scenario.days - 1)
    calendar = Calendar(UTC, last, scenario.baseline_days)
    end = datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
    statuses = tuple(check(records, end, calendar, design))
    alarms = [alarm for one in statuses for alarm in one.alarms]
    caused = {id(alarm) for alarm in alarms for trouble in scenario.troubles if _may_come_of(alarm, trouble)}
    years = (scenario.days - 1 - scenario.baseline_days) / DAYS_PER_YEAR
    return Rehearsal(
        scenario=scenario,
        studies=len(records),
        statuses=statuses,
        findings=tuple(_finding(alarms, trouble) for trouble in scenario.troubles),
        false_alarms=tuple(alarm for alarm in alarms if id(alarm) not in caused),
        years_watched=years,
    )


def draw_records(scenario: Scenario) -> Iterator[StudyRecord]:
    """Yield the studies of each scanner in the order of time; the same seed gives the same studies."""
    for number, scanner in enumerate(scenario.scanners):
        random, seen = (np.random.default_rng([scenario.seed, number, *more]) for more in ((), (1,)))
        for day in range(scenario.days):
            today = scenario.start + timedelta(days=day)
            acting = scenario.acting_on(scanner, today)
            if any(one.kind == "mute" for one in acting):
                continue
            count = random.poisson(scanner.studies_per_day * WEEKDAYS[today.weekday()])
            hours = np.sort(random.choice(24, count, p=np.array(HOURLY) / sum(HOURLY)) + random.random(count))
            for place, hour in enumerate(hours.tolist()):
                moment = datetime.combine(today, datetime.min.time(), UTC) + timedelta(hours=hour)
                uid = f"2.25.{scenario.seed}{number:03}{day:05}{place:04}"
                record = _record(scenario, changed(scanner, acting), acting, uid, moment, random)
                yield replace(record, embedding=_embedding(scenario.model.embedding_size, acting, seen))


def _record(
    scenario: Scenario,
    scanner: Scanner,
    acting: Sequence[Trouble],
    uid: str,
    moment: datetime,
    random: np.random.Generator,
) -> StudyRecord:
    model, kinds = scenario.model, {one.kind: one for one in acting}
    is_positive = bool(random.random() < scanner.prevalence)
    separation = kinds["model"].amount if "model" in kinds else model.separation
    measured = random.standard_normal() + (separation if is_positive else 0.0)
    # The model still reads its measure as it was calibrated: one that separates less is also wrong about its odds.
    logit = model.separation * measured - model.separation**2 / 2 + log(model.prevalence / (1 - model.prevalence))
    strange = sum(_STRANGENESS.get(kind, 0.0) for kind in kinds)
    novelty = float(np.exp(0.25 * random.standard_normal() + strange))
    flagged = logit >= model.threshold_logit
    events = {
        "quality_note": bool(random.random() < (0.3 if "logo" in kinds else 0.05)),
        "out_of_scope": bool(novelty > model.novelty_limit),
    }
    numbers = {
        "slice_thickness_mm": scanner.slice_thickness_mm,
        "pixel_spacing_mm": scanner.pixel_spacing_mm,
        "exposure_mas": scanner.exposure_mas * float(np.exp(0.2 * random.standard_normal())),
        "age_years": min(max(random.normal(60, 18), 18.0), 100.0),
        "novelty": novelty,
        "triage_minutes": float(random.gamma(4.0, 0.25)),
    }
    is_read = random.random() < READ_BY_READERS
    if not events["out_of_scope"]:
        numbers["score_logit"] = float(logit)
        events["flagged"] = bool(flagged)
        if is_read:
            events["missed" if is_positive else "false_flag"] = bool(flagged != is_positive)
    texts = {name: str(getattr(scanner, name)) for name in ("device", "software", "protocol", "kernel")}
    texts["sex"] = "F" if random.random() < 0.5 else "M"
    return StudyRecord(uid, moment, scenario.site, scanner.ae_title, model.name, texts, numbers, events)


def _embedding(size: int, acting: Sequence[Trouble], random: np.random.Generator) -> tuple[float, ...]:
    """Return standard normal coordinates, half of them moved by what makes images look strange."""
    moved = sum(_STRANGENESS.get(one.kind, 0.0) for one in acting) * EMBEDDING_MOVES
    values = random.standard_normal(size) + moved * (np.arange(size) < size / 2)
    return tuple(values.tolist())


EMBEDDING_MOVES = 2.0
"""Standard deviations of an embedding's coordinate for each unit of strangeness."""

_STRANGENESS = {"kernel": 0.1, "vendor": 0.1, "dose": 0.05, "logo": 0.4}
"""What a trouble adds to the logarithm of the novelty, whose standard deviation is 0.25."""


def _may_come_of(alarm: Alarm, trouble: Trouble) -> bool:
    """Return whether the alarm is about the trouble's scanner and came after it began."""
    return trouble.scanner in ("", alarm.key.scanner) and alarm.noticed_on >= trouble.begins


def _finding(alarms: Sequence[Alarm], trouble: Trouble) -> Finding:
    own = [one for one in alarms if _may_come_of(one, trouble)]
    if not own:
        return Finding(trouble, None, None)
    first = min(one.noticed_on for one in own)
    # A change that stays makes a chart alarm again; only its first alarm dates the change.
    first_of_stream = {one.key: one for one in sorted(own, key=lambda one: one.noticed_on, reverse=True)}
    close = [one for one in first_of_stream.values() if one.noticed_on <= first + GROUPED_WITHIN]
    return Finding(trouble, leading(close), first)


def expected_at_most(years: float, design: Design) -> int:
    """Return how many false alarms the design allows in so many years."""
    return ceil(years / design.years_between_false_alarms)
