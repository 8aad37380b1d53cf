"""The file of routing rules: TOML in, checked rules out, every mistake told at once with its place."""

import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword

from triage.errors import InvalidSetting
from triage.priority import Priority
from triage.rules import (
    PLANES,
    WEEKDAYS,
    Actions,
    All,
    Asked,
    Between,
    Condition,
    Contains,
    Daily,
    Either,
    Exists,
    Expectation,
    Not,
    OneOf,
    Question,
    Rule,
    Tag,
)

ACTIONS = ("run_only", "run_always", "send_original", "send_results", "send_deidentified", "priority_floor",
           "retention_days")  # fmt: skip
_LISTS = ACTIONS[:5]
LONGEST_RETENTION_DAYS = 36_500
TESTS = ("equals", "one_of", "contains", "at_least", "at_most", "exists")
DEEPEST = 16

_ANYTHING = All(())
"""Holds for every series: what a rule without `when` asks."""


@dataclass(frozen=True, slots=True)
class KnownNames:
    """What actions may name: the models of this machine, and the destinations of the settings.

    `taking_results` are those whose `send` names a kind of result.
    """

    models: Collection[str]
    destinations: Collection[str]
    taking_results: Collection[str] = ()


def read_rules(path: Path, known: KnownNames) -> tuple[Rule, ...]:
    """Return the rules of the file, in its order.

    Raises:
        InvalidSetting: every mistake of the file in one message, each with its place and what was expected.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"{path}: not readable: {error}") from error
    reader = _Reader(known)
    rules = reader.rules(table)
    if reader.mistakes:
        raise InvalidSetting(f"{path}: " + "; ".join(reader.mistakes))
    return rules


@dataclass(slots=True)
class _Reader:
    """Reads on after a mistake, so that all of them are found; what is returned then is thrown away."""

    known: KnownNames
    mistakes: list[str] = field(default_factory=list)

    def rules(self, table: Mapping[str, Any]) -> tuple[Rule, ...]:
        self._only_keys("file", table, ("rules",))
        given = table.get("rules", [])
        if not isinstance(given, list):
            self._expected("rules", "[[rules]] tables", given)
            return ()
        rules = tuple(self._rule(f"rules[{number}]", one) for number, one in enumerate(given, start=1))
        names = [rule.name for rule in rules if rule.name]
        for twice in sorted({name for name in names if names.count(name) > 1}):
            self.mistakes.append(f"rules: two are called {twice!r}, needed a name for each")
        self._keep_names_away(rules)
        return rules

    def _keep_names_away(self, rules: Sequence[Rule]) -> None:
        """Refuse a destination of de-identified copies that gets anything with a patient's name beside them."""
        anonymous = dict.fromkeys(name for rule in rules for name in rule.then.send_deidentified)
        named = {name for rule in rules for name in (*rule.then.send_original, *rule.then.send_results)}
        for name in anonymous:
            if name in named:
                self.mistakes.append(f"send_deidentified: {name} gets originals or results by another rule")
            if name in self.known.taking_results:
                self.mistakes.append(f"send_deidentified: {name} gets results, needed send = [] in its settings")

    def _rule(self, place: str, table: Any) -> Rule:
        if not isinstance(table, dict):
            self._expected(place, "a table", table)
            return Rule("", _ANYTHING, Actions())
        self._only_keys(place, table, ("name", "when", "then"))
        name = self._text(f"{place}.name", table.get("name"))
        when = self._condition(f"{place}.when", table["when"], 0) if "when" in table else _ANYTHING
        return Rule(name, when, self._actions(f"{place}.then", table.get("then")))

    def _condition(self, place: str, table: Any, depth: int) -> Condition:
        if not isinstance(table, dict) or depth > DEEPEST:
            self._expected(place, f"a condition, at most {DEEPEST} deep", table)
            return _ANYTHING
        subjects = [key for key in table if key in _CONNECTIVES or key == "tag" or key in list(Asked)]
        if len(subjects) != 1:
            wanted = ", ".join(("tag", *Asked, *_CONNECTIVES))
            self.mistakes.append(f"{place}: {' and '.join(subjects) or 'nothing'} asked, needed one of {wanted}")
            return _ANYTHING
        (subject,) = subjects
        if subject == "tag":
            return self._about_tag(place, table)
        self._only_keys(place, table, (subject,))
        if subject in ("all", "any"):
            inner = table[subject]
            if not isinstance(inner, list) or not inner:
                self._expected(f"{place}.{subject}", "a list of conditions", inner)
                return _ANYTHING
            parts = tuple(self._condition(f"{place}.{subject}[{n}]", one, depth + 1) for n, one in enumerate(inner, 1))
            return All(parts) if subject == "all" else Either(parts)
        if subject == "not":
            return Not(self._condition(f"{place}.not", table["not"], depth + 1))
        return self._about(f"{place}.{subject}", Asked(subject), table[subject])

    def _about_tag(self, place: str, table: Mapping[str, Any]) -> Condition:
        self._only_keys(place, table, ("tag", *TESTS))
        name = self._text(f"{place}.tag", table["tag"])
        number = _tag_number(name)
        if name and not number:
            self._expected(f"{place}.tag", "a DICOM keyword or (gggg,eeee)", name)
        tests = {key: table[key] for key in TESTS if key in table}
        return Question(Tag(number, name), self._test(place, tests))

    def _test(self, place: str, tests: Mapping[str, Any]) -> Expectation:
        names = set(tests)
        if names and names <= {"at_least", "at_most"}:
            low = self._number(f"{place}.at_least", tests["at_least"]) if "at_least" in tests else None
            high = self._number(f"{place}.at_most", tests["at_most"]) if "at_most" in tests else None
            return self._between(place, low, high)
        if names == {"equals"}:
            return self._equal(f"{place}.equals", tests["equals"])
        if names == {"one_of"}:
            return OneOf(self._list(f"{place}.one_of", tests["one_of"], self._text))
        if names == {"contains"}:
            return Contains(self._text(f"{place}.contains", tests["contains"]))
        if names == {"exists"}:
            return Exists(self._flag(f"{place}.exists", tests["exists"]))
        found = " and ".join(sorted(names)) or "no test"
        self.mistakes.append(f"{place}: {found}, needed one of equals, one_of, contains, exists, or at_least, at_most")
        return Exists(True)

    def _about(self, place: str, asked: Asked, value: Any) -> Condition:
        if asked is Asked.SLICE_THICKNESS:
            given = value if isinstance(value, dict) else {}
            self._only_keys(place, given, ("at_least", "at_most"))
            if not given:
                self._expected(place, "{ at_least = 1, at_most = 5 }, or one of the two", value)
            numbers = {key: self._number(f"{place}.{key}", one) for key, one in given.items()}
            return Question(asked, self._between(place, numbers.get("at_least"), numbers.get("at_most")))
        if asked is Asked.CONTRAST:
            return Question(asked, OneOf(("yes" if self._flag(place, value) else "no",)))
        if asked is Asked.TIME:
            return Question(asked, self._daily(place, value))
        allowed = {Asked.ORIENTATION: PLANES, Asked.WEEKDAY: WEEKDAYS}.get(asked)
        values = self._list(place, value if isinstance(value, list) else [value], self._text)
        for wrong in [one for one in values if allowed and one not in allowed]:
            self._expected(place, ", ".join(allowed or ()), wrong)
        return Question(asked, OneOf(values))

    def _actions(self, place: str, table: Any) -> Actions:
        if not isinstance(table, dict) or not table:
            self._expected(place, f"at least one of {', '.join(ACTIONS)}", table)
            return Actions()
        self._only_keys(place, table, ACTIONS)
        lists: dict[str, tuple[str, ...]] = {}
        for key in (key for key in _LISTS if key in table):
            lists[key] = self._list(f"{place}.{key}", table[key], self._text)
            is_model = key.startswith("run_")
            names = self.known.models if is_model else self.known.destinations
            for unknown in [one for one in lists[key] if one and one not in names]:
                kind = "a model" if is_model else "a destination of the settings"
                self._expected(f"{place}.{key}", f"{kind} ({', '.join(sorted(names)) or 'there is none'})", unknown)
        return Actions(
            run_only=lists.get("run_only", ()),
            run_always=lists.get("run_always", ()),
            send_original=lists.get("send_original", ()),
            send_results=lists.get("send_results", ()),
            send_deidentified=lists.get("send_deidentified", ()),
            priority_floor=self._band(f"{place}.priority_floor", table.get("priority_floor")),
            retention_days=self._days(f"{place}.retention_days", table.get("retention_days")),
        )

    def _days(self, place: str, value: Any) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LONGEST_RETENTION_DAYS:
            self._expected(place, f"whole days, 0 (for ever) to {LONGEST_RETENTION_DAYS}", value)
            return None
        return value

    def _band(self, place: str, value: Any) -> Priority | None:
        bands = {"critical": Priority.CRITICAL, "urgent": Priority.URGENT}
        if value is not None and (not isinstance(value, str) or value.lower() not in bands):
            self._expected(place, "critical or urgent", value)
            return None
        return bands[value.lower()] if value else None

    def _between(self, place: str, low: float | None, high: float | None) -> Between:
        if low is not None and high is not None and low > high:
            self.mistakes.append(f"{place}: at_least {low:g} is above at_most {high:g}")
        lowest, highest = Between().low, Between().high
        return Between(lowest if low is None else low, highest if high is None else high)

    def _daily(self, place: str, value: Any) -> Daily:
        found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", str(value))
        if found is None or found[0][:5] == found[0][6:]:
            self._expected(place, '"18:00-07:00", two different times', value)
            return Daily(time(), time())
        first_hour, first_minute, last_hour, last_minute = map(int, found.groups())
        return Daily(time(first_hour, first_minute), time(last_hour, last_minute))

    def _list(self, place: str, value: Any, read: Callable[[str, Any], str]) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            self._expected(place, "a list of at least one", value)
            return ()
        return tuple(read(f"{place}[{number}]", one) for number, one in enumerate(value, start=1))

    def _equal(self, place: str, value: Any) -> Expectation:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Between(self._number(place, value), float(value))
        return OneOf((self._text(place, value),))

    def _text(self, place: str, value: Any) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > 200 or not value.isprintable():
            self._expected(place, "a text of 1 to 200 characters", value)
            return ""
        return value.strip()

    def _number(self, place: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            self._expected(place, "a number", value)
            return 0.0
        return float(value)

    def _flag(self, place: str, value: Any) -> bool:
        if not isinstance(value, bool):
            self._expected(place, "true or false", value)
        return value is True

    def _only_keys(self, place: str, table: Mapping[str, Any], allowed: Collection[str]) -> None:
        for key in (key for key in table if key not in allowed):
            self.mistakes.append(f"{place}: unknown key {key!r}, needed {', '.join(allowed)}")

    def _expected(self, place: str, needed: str, found: Any) -> None:
        told = "nothing" if found is None else repr(found)
        self.mistakes.append(f"{place}: found {told[:80]}, needed {needed}")


_CONNECTIVES = ("all", "any", "not")


def _tag_number(name: str) -> str:
    """Return the tag as eight hexadecimal digits, empty where `name` is none."""
    if found := re.fullmatch(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?", name):
        return (found[1] + found[2]).upper()
    number = tag_for_keyword(name)
    return "" if number is None else f"{number:08X}"
