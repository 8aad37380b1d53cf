"""Reading a stream from a CSV file: one value, or events of trials, per row, in the order of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite, nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triage.errors import InvalidDataset
from validation.labels_table import Row, has_column, named, read_table

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Values:
    """One number per row; NaN where the row has none."""

    values: Numbers

    @property
    def missing(self) -> int:
        """How many rows say nothing."""
        return int(np.isnan(self.values).sum())


@dataclass(frozen=True, slots=True)
class Events:
    """So many events of so many trials per row; a row without a value, or without trials, has 0 of 0."""

    events: Numbers
    trials: Numbers

    @property
    def missing(self) -> int:
        """How many rows say nothing."""
        return int((self.trials == 0).sum())


def read_values(path: Path) -> Values:
    """Return the columns `time,value`; an empty value is missing, not zero.

    Raises:
        InvalidDataset: a column is absent, a value is no finite number, times run backwards.
    """
    rows = read_table(path, ("time", "value"))
    _require_order(rows)
    return Values(np.array([optional_number(row, "value") for row in rows]))


def read_events(path: Path) -> Events:
    """Return the columns `time,events,trials`, or `time,value` of single trials, each 0 or 1.

    Raises:
        InvalidDataset: a column is absent, a count is no whole number or out of range, times run backwards.
    """
    if not has_column(path, "trials") and has_column(path, "value"):
        return _single_trials(path)
    rows = read_table(path, ("time", "events", "trials"))
    _require_order(rows)
    pairs = [(_count(row, "events"), _count(row, "trials")) for row in rows]
    for row, (events, trials) in zip(rows, pairs, strict=True):
        if events > trials:
            raise InvalidDataset(f"{row.place}: events: found {events:g}, needed at most the {trials:g} trials")
    counts = np.array(pairs)
    counts[np.isnan(counts).any(axis=1)] = 0.0
    return Events(counts[:, 0], counts[:, 1])


def optional_number(row: Row, column: str) -> float:
    """Return the number in `column`, NaN when the cell is empty; raises InvalidDataset for anything else."""
    if not row.values[column]:
        return nan
    value = row.number(column)
    if not isfinite(value):
        raise InvalidDataset(f"{row.place}: {column}: found {row.values[column]!r}, needed a finite number")
    return value


def _single_trials(path: Path) -> Events:
    values = read_values(path).values
    there = ~np.isnan(values)
    if bad := [value for value in values[there].tolist() if value not in (0.0, 1.0)]:
        raise InvalidDataset(f"{named(path)}: value: found {bad[0]:g}, needed 1 or 0 of each trial")
    return Events(np.where(there, values, 0.0), there.astype(np.float64))


def _count(row: Row, column: str) -> float:
    value = optional_number(row, column)
    if value < 0 or (isfinite(value) and value % 1):
        raise InvalidDataset(f"{row.place}: {column}: found {row.values[column]!r}, needed a whole number")
    return value


def _require_order(rows: Sequence[Row]) -> None:
    """Raise unless every row has a time, all of one kind (numbers, or ISO 8601), and none lies before the last one."""
    parsed = [_time(row) for row in rows]
    for row, before, now in zip(rows[1:], parsed, parsed[1:], strict=False):
        try:
            is_backwards = now < before  # type: ignore[operator]
        except TypeError as error:
            raise InvalidDataset(f"{row.place}: time: {row.text('time')!r} is of another kind than before") from error
        if is_backwards:
            raise InvalidDataset(f"{row.place}: time: {row.text('time')!r} lies before the row above, needed in order")


def _time(row: Row) -> float | datetime:
    text = row.text("time")
    try:
        return optional_number(row, "time")
    except InvalidDataset:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidDataset(f"{row.place}: time: found {text!r}, needed a number or an ISO 8601 date") from error
