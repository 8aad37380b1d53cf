"""Routing rules: which studies a department wants treated how, as plain values, and why a rule matched or not.

A rule sees one series at a time, as a mapping from tag to values; it matches a study when one series of it satisfies
the whole condition. Nothing of a rule is ever run as code.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from enum import StrEnum
from math import inf
from typing import TypeAlias

from triage.completeness import slice_normal
from triage.priority import Priority, most_urgent

SLICE_THICKNESS, ORIENTATION, CONTRAST_AGENT = "00180050", "00200037", "00180010"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PLANES = ("sagittal", "coronal", "axial")
"""The planes whose normals are the x, y and z axes of the patient (PS3.3 C.7.6.2.1.1)."""

_NO_AGENT = frozenset({"", "NO", "NONE", "N"})
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules may ask about one series.

    `values` are the attributes of its first image by tag, eight upper-case hexadecimal digits; an attribute without a
    value is left out, a sequence or binary one has no values. `arrived` is in the department's own time zone.
    """

    values: Mapping[str, tuple[str, ...]]
    source_ae_titles: tuple[str, ...]
    arrived: datetime
    series_instance_uid: str = ""


class Asked(StrEnum):
    """What a rule may ask about beside a tag."""

    SLICE_THICKNESS = "slice_thickness_mm"
    ORIENTATION = "orientation"
    CONTRAST = "contrast"
    SOURCE = "source_ae"
    TIME = "time"
    WEEKDAY = "weekday"


@dataclass(frozen=True, slots=True)
class Tag:
    """An attribute, as eight hexadecimal digits, and what the rule file calls it."""

    number: str
    name: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """One value is one of these, without regard to case."""

    values: tuple[str, ...]

    @property
    def needed(self) -> str:
        return " or ".join(self.values)

    def is_met_by(self, values: tuple[str, ...] | None) -> bool:
        wanted = {value.upper() for value in self.values}
        return any(value.strip().upper() in wanted for value in values or ())


@dataclass(frozen=True, slots=True)
class Contains:
    """One value contains this text, without regard to case."""

    text: str

    @property
    def needed(self) -> str:
        return f"something with {self.text}"

    def is_met_by(self, values: tuple[str, ...] | None) -> bool:
        return any(self.text.upper() in value.upper() for value in values or ())


@dataclass(frozen=True, slots=True)
class Between:
    """One value is a number from `low` to `high`, both included; ages such as 018M count in years."""

    low: float = -inf
    high: float = inf

    @property
    def needed(self) -> str:
        if self.low == self.high:
            return f"{self.low:g}"
        if self.low == -inf:
            return f"at most {self.high:g}"
        return f"at least {self.low:g}" if self.high == inf else f"{self.low:g} to {self.high:g}"

    def is_met_by(self, values: tuple[str, ...] | None) -> bool:
        numbers = (_number(value) for value in values or ())
        return any(number is not None and self.low <= number <= self.high for number in numbers)


@dataclass(frozen=True, slots=True)
class Exists:
    """The attribute has a value, or has none."""

    wanted: bool

    @property
    def needed(self) -> str:
        return "present" if self.wanted else "absent"

    def is_met_by(self, values: tuple[str, ...] | None) -> bool:
        return (values is not None) is self.wanted


@dataclass(frozen=True, slots=True)
class Daily:
    """A time of day from `start` until before `end`; over midnight where `end` is earlier."""

    start: time
    end: time

    @property
    def needed(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    def is_met_by(self, values: tuple[str, ...] | None) -> bool:
        moments = [time.fromisoformat(value) for value in values or ()]
        if self.start <= self.end:
            return any(self.start <= moment < self.end for moment in moments)
        return any(moment >= self.start or moment < self.end for moment in moments)


Expectation: TypeAlias = OneOf | Contains | Between | Exists | Daily
"""What values should be; each says what is needed and whether values meet it, where None is an absent attribute."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a series."""

    subject: Tag | Asked
    expected: Expectation


@dataclass(frozen=True, slots=True)
class All:
    """Every condition holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one condition holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    condition: "Condition"


Condition: TypeAlias = Question | All | Either | Not


@dataclass(frozen=True, slots=True)
class Actions:
    """What a rule wants done; empty tuples and None want nothing.

    Of the models in service only `run_only` are asked, and `run_always` whatever other rules say; neither lets a model
    see what its own acceptance refuses. `priority_floor` may raise a study and never lowers it. `retention_days` is how
    long images are kept after the last one, 0 for ever.
    """

    run_only: tuple[str, ...] = ()
    run_always: tuple[str, ...] = ()
    send_original: tuple[str, ...] = ()
    send_results: tuple[str, ...] = ()
    send_deidentified: tuple[str, ...] = ()
    priority_floor: Priority | None = None
    retention_days: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What is wanted for studies with a series that satisfies `when`."""

    name: str
    when: Condition
    then: Actions


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a condition holds, what it needs and what was found; `parts` are the conditions inside it."""

    holds: bool
    needed: str
    found: str = ""
    parts: tuple["Answer", ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """One rule tried on a study: the answer for each series, by its UID."""

    rule: str
    answers: tuple[tuple[str, Answer], ...]

    @property
    def matches(self) -> bool:
        return any(answer.holds for _, answer in self.answers)


@dataclass(frozen=True, slots=True)
class Restriction:
    """A rule that wants only these models asked."""

    rule: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Routing:
    """What the rules together decided for one revision of a study.

    `rules` are those that matched. Without `send_results`, results go to every destination that wants their kind.
    `retention_days`: 0 keeps the images for ever, None leaves it to the settings. `problem` says why rules could not
    be evaluated; then nothing is restricted.
    """

    rules: tuple[str, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    run_always: tuple[str, ...] = ()
    send_original: tuple[str, ...] = ()
    send_results: tuple[str, ...] = ()
    send_deidentified: tuple[str, ...] = ()
    retention_days: int | None = None
    priority_floor: Priority = Priority.ROUTINE
    floor_rule: str = ""
    problem: str = ""

    def why_not_asked(self, model: str) -> str:
        """Return which rule keeps the model from being asked; an empty string when none does."""
        if model in self.run_always:
            return ""
        against = (one for one in self.restrictions if model not in one.models)
        return next((f"rule {one.rule} asks only {' and '.join(one.models)}" for one in against), "")

    @property
    def words(self) -> str:
        """What the row says about it; an empty string when the rules change nothing that a reader sees."""
        raised = self.priority_floor is not Priority.ROUTINE
        floor = f"rule {self.floor_rule}: at least {self.priority_floor.name.lower()}" if raised else ""
        return "; ".join(part for part in (floor, self.problem) if part)


def decide(rules: Sequence[Rule], series: Sequence[Facts]) -> Routing:
    """Return what `rules` want for a study of these series.

    Of several floors the most urgent counts, of several retentions the longest.
    """
    matched = [rule for rule in rules if any(holds(rule.when, facts).holds for facts in series)]
    floors = [(rule.then.priority_floor, rule.name) for rule in matched if rule.then.priority_floor is not None]
    floor = most_urgent(Priority.ROUTINE, *(band for band, _ in floors))
    return Routing(
        rules=tuple(rule.name for rule in matched),
        restrictions=tuple(Restriction(rule.name, rule.then.run_only) for rule in matched if rule.then.run_only),
        run_always=_together(rule.then.run_always for rule in matched),
        send_original=_together(rule.then.send_original for rule in matched),
        send_results=_together(rule.then.send_results for rule in matched),
        send_deidentified=_together(rule.then.send_deidentified for rule in matched),
        retention_days=_longest(rule.then.retention_days for rule in matched),
        priority_floor=floor,
        floor_rule=next((name for band, name in floors if band is floor), ""),
    )


def tried(rules: Sequence[Rule], series: Sequence[Facts]) -> tuple[Trial, ...]:
    """Return for each rule why it matches a study of these series or does not."""
    return tuple(
        Trial(rule.name, tuple((facts.series_instance_uid, holds(rule.when, facts)) for facts in series))
        for rule in rules
    )


def needs(condition: Condition) -> Answer:
    """Return what `condition` needs; of a series that nothing is known about, so nothing else in it counts."""
    return holds(condition, Facts({}, (), datetime.min.replace(tzinfo=UTC)))


def holds(condition: Condition, facts: Facts) -> Answer:
    """Return whether `condition` holds for one series, with the reason for each part of it."""
    if isinstance(condition, Question):
        values = values_of(condition.subject, facts)
        name = condition.subject.name if isinstance(condition.subject, Tag) else condition.subject.value
        found = "absent" if values is None else ", ".join(values) or "present"
        return Answer(condition.expected.is_met_by(values), f"{name}: {condition.expected.needed}", found)
    if isinstance(condition, Not):
        inner = holds(condition.condition, facts)
        return Answer(not inner.holds, "not", parts=(inner,))
    parts = tuple(holds(one, facts) for one in condition.conditions)
    if isinstance(condition, All):
        return Answer(all(part.holds for part in parts), "all of", parts=parts)
    return Answer(any(part.holds for part in parts), "any of", parts=parts)


def values_of(subject: Tag | Asked, facts: Facts) -> tuple[str, ...] | None:
    """Return what the series says about `subject`; None where it says nothing."""
    if isinstance(subject, Tag):
        return facts.values.get(subject.number)
    if subject is Asked.SLICE_THICKNESS:
        return facts.values.get(SLICE_THICKNESS)
    if subject is Asked.ORIENTATION:
        return _plane(facts.values.get(ORIENTATION))
    if subject is Asked.CONTRAST:
        agents = facts.values.get(CONTRAST_AGENT, ())
        return ("yes" if any(agent.strip().upper() not in _NO_AGENT for agent in agents) else "no",)
    if subject is Asked.SOURCE:
        return facts.source_ae_titles or None
    moment = facts.arrived
    return (f"{moment:%H:%M}",) if subject is Asked.TIME else (WEEKDAYS[moment.weekday()],)


def _plane(cosines: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the plane that the slices are nearest to."""
    numbers = [_number(one) for one in cosines or ()]
    if len(numbers) != 6:
        return None
    rx, ry, rz, cx, cy, cz = (number or 0.0 for number in numbers)
    sizes = [abs(component) for component in slice_normal((rx, ry, rz, cx, cy, cz))]
    return (PLANES[sizes.index(max(sizes))],) if any(sizes) else None


def _number(text: str) -> float | None:
    text = text.strip()
    if len(text) == 4 and text[:3].isdigit() and text[3] in _YEARS:
        return int(text[:3]) * _YEARS[text[3]]
    try:
        return float(text)
    except ValueError:
        return None


def _longest(days: Iterable[int | None]) -> int | None:
    """Return the longest retention of those that are set, where 0 is for ever."""
    known = [one for one in days if one is not None]
    return max(known, key=lambda one: one or inf, default=None)


def _together(named: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return every name once, in the order of the rules."""
    return tuple(dict.fromkeys(name for names in named for name in names))
