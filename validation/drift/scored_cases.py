"""Reading scored cases from CSV files: a labelled reference, and production by period."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triage.errors import InvalidDataset
from validation.drift.label_free import Reference
from validation.drift.series import optional_number
from validation.labels_table import named, read_table

ALL = "all"
"""The name of the only period where the file has no column of them."""


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """The labelled cases, and how many rows had no label or no score."""

    cases: Reference
    left_out: int


@dataclass(frozen=True, slots=True)
class ProductionFile:
    """Scores by period, in the order in which the periods come, and how many rows had no score."""

    periods: Mapping[str, NDArray[np.float64]]
    left_out: int


def read_reference(path: Path) -> ReferenceFile:
    """Return the cases of a file with the columns `truth,score`; rows that lack either are left out and counted.

    Raises:
        InvalidDataset: the file does not read so, or one kind of case is absent.
    """
    rows = read_table(path, ("truth", "score"))
    pairs = [(row.label("truth"), optional_number(row, "score")) for row in rows]
    whole = [(truth, score) for truth, score in pairs if truth is not None and not isnan(score)]
    if not whole:
        raise InvalidDataset(f"{named(path)}: no row with truth and score, needed some of both kinds")
    truth = np.array([one for one, _ in whole], dtype=np.bool_)
    return ReferenceFile(Reference(truth, np.array([one for _, one in whole])), len(rows) - len(whole))


def read_production(path: Path) -> ProductionFile:
    """Return the scores of a file with the column `score` and perhaps `period`; rows without one are counted.

    Raises:
        InvalidDataset: the file does not read so, a period is empty, or there is no score at all.
    """
    rows = read_table(path, ("score",))
    with_periods = "period" in rows[0].values
    periods: dict[str, list[float]] = {}
    for row in rows:
        score = optional_number(row, "score")
        if not isnan(score):
            periods.setdefault(row.text("period") if with_periods else ALL, []).append(score)
    if not periods:
        raise InvalidDataset(f"{named(path)}: no row with a score, needed some")
    kept = sum(map(len, periods.values()))
    return ProductionFile({name: np.array(scores) for name, scores in periods.items()}, len(rows) - kept)
