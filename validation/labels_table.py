"""Reading a table of labels row by row; whatever does not fit raises with file, line, column and value."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from triage.errors import InvalidDataset

TRUE, FALSE, UNKNOWN = "1", "0", ""
YES, NO = (TRUE, "1.0", "true"), (FALSE, "0.0", "false")
"""As other programs write them: a column of whole numbers with a gap becomes one of 1.0 and 0.0 in many of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, and where it is, for errors."""

    place: str
    values: Mapping[str, str]

    def text(self, column: str) -> str:
        if value := self.values[column]:
            return value
        raise InvalidDataset(f"{self.place}: {column}: empty, needed a value")

    def is_true(self, column: str, needed: str = "0 or 1") -> bool:
        value = self.values[column].lower()
        if value not in (*YES, *NO):
            raise InvalidDataset(f"{self.place}: {column}: found {self.values[column]!r}, needed {needed}")
        return value in YES

    def label(self, column: str) -> bool | None:
        return None if self.values[column] == UNKNOWN else self.is_true(column, "1, 0 or nothing")

    def number(self, column: str) -> float:
        try:
            # Python takes 1_0 for ten; nobody who writes a table does.
            return float(self.values[column].replace("_", "?"))
        except ValueError as error:
            raise InvalidDataset(f"{self.place}: {column}: found {self.values[column]!r}, needed a number") from error

    def finite(self, column: str) -> float:
        number = self.number(column)
        if not isfinite(number):
            raise InvalidDataset(f"{self.place}: {column}: found {self.values[column]!r}, needed a finite number")
        return number


def read_table(path: Path, needed: Sequence[str], may_be_empty: bool = False) -> tuple[Row, ...]:
    """Return the rows of a CSV file that has at least the columns `needed`.

    Raises:
        InvalidDataset: the file is missing or is no CSV, a column is missing or comes twice, a row is too short or too
            long, or there is none although the table must not be empty.
    """
    label = named(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise InvalidDataset(f"{label}: cannot be read ({error.strerror}), needed a CSV file") from error
    except (csv.Error, ValueError) as error:
        raise InvalidDataset(f"{label}: {error}, needed CSV in UTF-8") from error
    if missing := [column for column in needed if column not in columns]:
        raise InvalidDataset(f"{label}: column {missing[0]} absent, found {', '.join(columns) or 'nothing'}")
    if twice := [column for column in needed if columns.count(column) > 1]:
        raise InvalidDataset(f"{label}: column {twice[0]} comes {columns.count(twice[0])} times, needed once")
    for line, row in rows:
        if None in row or None in row.values():
            raise InvalidDataset(f"{label} line {line}: another number of values, needed {len(columns)}")
    if not rows and not may_be_empty:
        raise InvalidDataset(f"{label}: no rows, needed at least one")
    return tuple(Row(f"{label} line {line}", {key: value.strip() for key, value in row.items()}) for line, row in rows)


def named(path: Path) -> str:
    """Return the name by which errors call a file: with the folder that it lies in, where it is given with one."""
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


def has_column(path: Path, column: str) -> bool:
    """Return whether the first line of a CSV file names `column`; raises InvalidDataset as `read_table` does."""
    return column in read_table(path, ())[0].values
