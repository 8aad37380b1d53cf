"""Domain values to JSON columns and back, checked on the way in."""

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

Value = TypeVar("Value")


def to_json(value: object) -> Any:
    """Return a domain value as plain JSON."""
    return _adapter(type(value)).dump_python(value, mode="json")


def from_json(kind: type[Value], column: object) -> Value:
    """Return the domain value that `to_json` wrote.

    Raises:
        pydantic.ValidationError: the column holds something else.
    """
    value: Value = _adapter(kind).validate_python(column)
    return value


def _adapter(kind: type) -> TypeAdapter[Any]:
    return _adapter_of(cast(Hashable, kind))


@cache
def _adapter_of(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(type, kind))
