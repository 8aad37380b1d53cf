"""Reading a JSON object field by field; whatever does not fit raises with file, key, value found and value needed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from triage.errors import InvalidBundle

Choice = TypeVar("Choice", bound=str)
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object of a file; `place` is the dotted path of its key, empty for the whole file."""

    file: str
    place: str
    values: Mapping[str, Json]

    def only(self, *keys: str) -> None:
        """Refuse the object when it has a key that is not among `keys`: a misspelt one must not be passed over."""
        for key in self.values:
            if key not in keys:
                raise self.wrong(key, "key", f"one of {', '.join(keys)}")

    def text(self, key: str, needed: str = "a text that is not empty") -> str:
        value = self._value(key)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, value, needed)
        return value

    def one_of(self, key: str, allowed: tuple[Choice, ...], absent: Choice | None = None) -> Choice:
        """Return one of `allowed`; `absent`, where that is given, when the key is not there."""
        value = self._value(key) if absent is None else self.values.get(key, absent)
        for choice in allowed:
            if value == choice:
                return choice
        raise self.wrong(key, value, f"one of {', '.join(allowed)}")

    def number(self, key: str, low: float = float("-inf"), high: float = float("inf")) -> float:
        return self._within(key, self._value(key), low, high)

    def whole(self, key: str, low: int, high: int = 1_000_000) -> int:
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(key, value, f"a whole number from {low} to {high}")
        return value

    def flag(self, key: str, absent: bool) -> bool:
        """Return true or false; `absent` where the key is not there."""
        value = self.values.get(key, absent)
        if not isinstance(value, bool):
            raise self.wrong(key, value, "true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._value(key)
        if not isinstance(value, list):
            raise self.wrong(key, value, "a list of texts")
        found = []
        for one in value:
            if not isinstance(one, str) or not one:
                raise self.wrong(key, one, "texts that are not empty")
            found.append(one)
        return tuple(found)

    def pair(self, key: str) -> tuple[float, float]:
        """Return two numbers, the second above the first."""
        value = self._value(key)
        if not isinstance(value, list) or len(value) != 2:
            raise self.wrong(key, value, "two numbers, the lower one first")
        low, high = (self._within(key, one, float("-inf"), float("inf")) for one in value)
        if not low < high:
            raise self.wrong(key, value, "two numbers, the lower one first")
        return low, high

    def object(self, key: str) -> "Fields":
        value = self._value(key)
        if not isinstance(value, dict):
            raise self.wrong(key, value, "an object")
        return Fields(self.file, self._path(key), value)

    def objects(self, key: str) -> tuple["Fields", ...]:
        value = self._value(key)
        if not isinstance(value, list) or not value:
            raise self.wrong(key, value, "a list with at least one object")
        found = []
        for index, one in enumerate(value):
            if not isinstance(one, dict):
                raise self.wrong(f"{key}[{index}]", one, "an object")
            found.append(Fields(self.file, self._path(f"{key}[{index}]"), one))
        return tuple(found)

    def wrong(self, key: str, found: Json, needed: str) -> InvalidBundle:
        return InvalidBundle(f"{self.file}: {self._path(key)}: found {json.dumps(found)}, needed {needed}")

    def _value(self, key: str) -> Json:
        if key not in self.values:
            raise InvalidBundle(f"{self.file}: {self._path(key)}: absent, needed")
        return self.values[key]

    def _within(self, key: str, value: Json, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            needed = (
                "a number" if (low, high) == (float("-inf"), float("inf")) else f"a number from {low:g} to {high:g}"
            )
            raise self.wrong(key, value, needed)
        return float(value)

    def _path(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key


def read_json_object(path: Path, label: str) -> Fields:
    """Return the JSON object in the file `path`, called `label` in errors.

    Raises:
        InvalidBundle: the file is absent, is not JSON, holds a number that JSON does not know, or no object.
    """
    try:
        value: Json = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse, object_pairs_hook=_once)
    except OSError as error:
        raise InvalidBundle(f"{label}: cannot be read ({error.strerror}), needed") from error
    except ValueError as error:
        raise InvalidBundle(f"{label}: {error}, needed JSON") from error
    if not isinstance(value, dict):
        raise InvalidBundle(f"{label}: found {type(value).__name__}, needed an object")
    return Fields(label, "", value)


def _refuse(name: str) -> Json:
    raise ValueError(f"the number {name}")


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values = dict(pairs)
    if len(values) != len(pairs):
        repeated = next(key for index, (key, _) in enumerate(pairs) if key in [k for k, _ in pairs[:index]])
        raise ValueError(f"the key {repeated} twice")
    return values
