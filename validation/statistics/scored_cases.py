"""Cases with their truth and a score, read from a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triage.errors import InvalidDataset
from validation.discrimination import Numbers, numbered
from validation.labels_table import Row, read_table

Truth = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ScoredCases:
    """Cases in the order of their table; `clusters` is None where every case is independent of the others."""

    names: tuple[str, ...]
    truth: Truth
    scores: Numbers
    clusters: tuple[str, ...] | None

    @property
    def groups(self) -> NDArray[np.int64]:
        """The number of each case's cluster."""
        return numbered(self.clusters, len(self.names))

    @property
    def outside(self) -> str | None:
        """Why the scores cannot be probabilities, or None if they can."""
        wrong = np.flatnonzero((self.scores < 0) | (self.scores > 1))
        if not len(wrong):
            return None
        first = int(wrong[0])
        return f"case {self.names[first]}: score {self.scores[first]:g}, needed a probability from 0 to 1"


def read_scored_cases(path: Path) -> ScoredCases:
    """Return the cases of a CSV file with the columns `case`, `truth`, `score` and, if cases share patients, `cluster`.

    Raises:
        InvalidDataset: the table cannot be read, a truth is not 0 or 1, a score no finite number, a case comes twice.
    """
    rows = read_table(path, ("case", "truth", "score"))
    names = tuple(row.text("case") for row in rows)
    require_once(rows, [(name,) for name in names])
    has_clusters = "cluster" in rows[0].values
    return ScoredCases(
        names=names,
        truth=np.array([row.is_true("truth") for row in rows], dtype=np.bool_),
        scores=np.array([row.finite("score") for row in rows], dtype=np.float64),
        clusters=tuple(row.text("cluster") for row in rows) if has_clusters else None,
    )


def require_once(rows: Sequence[Row], keys: Sequence[tuple[str, ...]]) -> None:
    """Raise InvalidDataset where a key comes a second time."""
    seen: dict[tuple[str, ...], str] = {}
    for row, key in zip(rows, keys, strict=True):
        if key in seen:
            raise InvalidDataset(
                f"{row.place}: case: found {' '.join(key)!r} again ({seen[key]}), needed each one once"
            )
        seen[key] = row.place


def in_the_order_of(first: ScoredCases, second: ScoredCases) -> ScoredCases:
    """Return the cases of `second` in the order of `first`.

    Raises:
        InvalidDataset: the two do not hold the same cases with the same truth and cluster.
    """
    places = {name: number for number, name in enumerate(second.names)}
    for these, those in ((first, places), (second, set(first.names))):
        if missing := next((name for name in these.names if name not in those), None):
            where = "second" if these is first else "first"
            raise InvalidDataset(f"case: {missing!r} is not in the {where} table, needed the same cases in both")
    order = [places[name] for name in first.names]
    truth = second.truth[order]
    clusters = None if second.clusters is None else tuple(second.clusters[one] for one in order)
    for number in np.flatnonzero(truth != first.truth)[:1]:
        raise InvalidDataset(
            f"case {first.names[number]}: truth {int(first.truth[number])} in the first table and "
            f"{int(truth[number])} in the second, needed the same"
        )
    if clusters != first.clusters:
        raise InvalidDataset("cluster: not the same in both tables, needed the same cluster for each case, or none")
    return ScoredCases(first.names, truth, second.scores[order], clusters)
