"""The figures of a surveillance report, worked out from study records, alarms and the history of the models."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

import numpy as np

from triage.rule_history import RuleChange
from triage.surveillance import KeptAlarm, StudyRecord
from validation.drift.estimated import EstimatedPerformance
from validation.drift.labelled import ERRORS, LabelledPerformance, labelled_performance
from validation.drift.monitor import StreamStatus
from validation.intervals import Estimate, Proportion, clopper_pearson

AGE_BANDS = ((0, 18), (18, 40), (40, 65), (65, 80), (80, 200))
FEWEST_IN_GROUP = 20
"""Labels: a group with fewer is counted and not measured, since its figure would say more about chance."""


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One entry of the registry's history, in words."""

    at: datetime
    model: str
    action: str
    state: str
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the report is made of; `last` is the last day of the period, `records` are of the period only."""

    first: date
    last: date
    zone: tzinfo
    made_at: datetime
    records: Sequence[StudyRecord]
    statuses: Sequence[StreamStatus]
    alarms: Sequence[KeptAlarm]
    changes: Sequence[ModelChange]
    estimates: Sequence[EstimatedPerformance] = ()
    rule_changes: Sequence[RuleChange] = ()


@dataclass(frozen=True, slots=True)
class Volume:
    """How many studies one scanner sent under one model; `model` is empty where no model answered."""

    site: str
    scanner: str
    model: str
    studies: int
    answered: int
    flagged: int
    out_of_scope: int


@dataclass(frozen=True, slots=True)
class Complaints:
    """What readers said against one model; the studies are named by their UIDs."""

    model: str
    wrong_place: tuple[str, ...]
    missed: tuple[str, ...]
    false_flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """One subgroup under one model; shares are None below 20 labels."""

    model: str
    column: str
    value: str
    studies: int
    flag_rate: Proportion
    sensitivity: Proportion
    specificity: Proportion


@dataclass(frozen=True, slots=True)
class Waiting:
    """Minutes from receipt to reading of studies that a model flagged and of those that it did not."""

    model: str
    what: str
    studies: int
    median: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that the report says in numbers."""

    facts: Facts
    studies: int
    volumes: tuple[Volume, ...]
    performance: Mapping[str, LabelledPerformance]
    complaints: tuple[Complaints, ...]
    groups: tuple[Group, ...]
    waiting: tuple[Waiting, ...]


def figures_of(facts: Facts, claims: Mapping[str, float] | None = None) -> Figures:
    """Return the figures; `claims` are the sensitivity and specificity that labels are tested against."""
    by_model: dict[str, list[StudyRecord]] = defaultdict(list)
    for one in facts.records:
        if one.model:
            by_model[one.model].append(one)
    models = dict(sorted(by_model.items()))
    return Figures(
        facts=facts,
        studies=len({one.study_instance_uid for one in facts.records}),
        volumes=tuple(_volumes(facts.records)),
        performance={name: labelled_performance(own, facts.zone, dict(claims or {})) for name, own in models.items()},
        complaints=tuple(_complaints(name, own) for name, own in models.items()),
        groups=tuple(group for name, own in models.items() for group in _groups(name, own)),
        waiting=tuple(line for name, own in models.items() for line in _waiting(name, own)),
    )


def proportion(successes: int, trials: int) -> Proportion:
    """Return a share with its exact interval; without trials it has neither."""
    if not trials:
        return Proportion(0, 0, Estimate(None, None))
    return Proportion(successes, trials, Estimate(successes / trials, clopper_pearson(successes, trials)))


def age_band(record: StudyRecord) -> str:
    """Return the patient's age band in years, "unknown" where no age was stored."""
    age = record.numbers.get("age_years")
    if age is None:
        return "unknown"
    low, high = next((band for band in AGE_BANDS if band[0] <= age < band[1]), AGE_BANDS[-1])
    return f"{low} and over" if high == AGE_BANDS[-1][1] else f"{low} to {high - 1}"


def _volumes(records: Sequence[StudyRecord]) -> list[Volume]:
    groups: dict[tuple[str, str, str], list[StudyRecord]] = defaultdict(list)
    for one in records:
        groups[(one.site, one.scanner, one.model)].append(one)
    return [
        Volume(*place, len(own), _count(own, "flagged", None), _count(own, "flagged"), _count(own, "out_of_scope"))
        for place, own in sorted(groups.items())
    ]


def _count(records: Sequence[StudyRecord], event: str, wanted: bool | None = True) -> int:
    """Return how many had the event; with None how many could have had it."""
    return sum(event in one.events and (wanted is None or one.events[event]) for one in records)


def _complaints(model: str, records: Sequence[StudyRecord]) -> Complaints:
    def studies(event: str) -> tuple[str, ...]:
        return tuple(one.study_instance_uid for one in records if one.events.get(event))

    return Complaints(model, studies("wrong_place"), studies("missed"), studies("false_flag"))


COLUMNS: Mapping[str, Callable[[StudyRecord], str]] = {
    "scanner": lambda one: one.scanner,
    "device": lambda one: one.categories.get("device") or "unknown",
    "sex": lambda one: one.categories.get("sex") or "unknown",
    "age, years": age_band,
}
"""What the subgroups are made by."""


def _groups(model: str, records: Sequence[StudyRecord]) -> list[Group]:
    answer = []
    for column, value_of in COLUMNS.items():
        for value in sorted(Counter(map(value_of, records))):
            own = [one for one in records if value_of(one) == value]
            rate = proportion(_count(own, "flagged"), _count(own, "flagged", None))
            answer.append(Group(model, column, value, len(own), rate, *(_right(own, e) for e in ERRORS.values())))
    return answer


def _right(records: Sequence[StudyRecord], error: str) -> Proportion:
    labels = _count(records, error, None)
    if labels < FEWEST_IN_GROUP:
        return Proportion(labels - _count(records, error), labels, Estimate(None, None))
    return proportion(labels - _count(records, error), labels)


def _waiting(model: str, records: Sequence[StudyRecord]) -> list[Waiting]:
    answer = []
    for what, stream, flagged in (
        ("flagged, receipt to reading", "reading_minutes", True),
        ("not flagged, receipt to reading", "reading_minutes", False),
        ("all, complete to triaged", "triage_minutes", None),
    ):
        minutes = [
            one.numbers[stream]
            for one in records
            if stream in one.numbers and (flagged is None or one.events.get("flagged") is flagged)
        ]
        median, p95 = np.percentile(minutes, [50, 95]).tolist() if minutes else (None, None)
        answer.append(Waiting(model, what, len(minutes), median, p95))
    return answer
