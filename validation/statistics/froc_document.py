"""What `acuity stats froc` says about marks and lesions, as one JSON object."""

from collections.abc import Sequence
from pathlib import Path

from triage.errors import InvalidDataset
from validation.labels_table import Row, read_table
from validation.statistics.bootstrap import DRAWS
from validation.statistics.froc import RATES, Lesion, Mark, cpm_interval, froc, match
from validation.statistics.scored_cases import require_once

Document = dict[str, object]
RULE = "a mark within the radius of a lesion hits it; further hits count as neither; a mark that hits none is false"


def froc_document(truth: Path, predictions: Path, cases: Path, seed: int) -> Document:
    """Return the figures of all cases of `cases`, with or without lesions and marks.

    Raises:
        InvalidDataset: a table cannot be read, names a case that `cases` does not, or holds what is no number.
    """
    rows = read_table(cases, ("case",))
    names = [row.text("case") for row in rows]
    require_once(rows, [(name,) for name in names])
    known = frozenset(names)
    lesions = [_lesion(row, known) for row in read_table(truth, ("case", "x", "y", "z", "radius"), may_be_empty=True)]
    marks = [_mark(row, known) for row in read_table(predictions, ("case", "x", "y", "z", "score"), may_be_empty=True)]
    return _document(names, lesions, marks, seed)


def _document(names: Sequence[str], lesions: Sequence[Lesion], marks: Sequence[Mark], seed: int) -> Document:
    matched = match(names, lesions, marks)
    found, interval = froc(matched), cpm_interval(matched, seed)
    reasons = {}
    if found.cpm is None:
        reasons["cpm"] = "no lesion in any case, needed at least one"
    elif interval is None:
        reasons["ci95_cpm"] = "one case, needed two to draw from"
    return {
        "n_cases": found.n_cases,
        "n_lesions": found.n_lesions,
        "n_hit": found.n_hit,
        "n_false_positives": found.n_false_positives,
        "cpm": found.cpm,
        "ci95_cpm": interval,
        "sensitivity_at": {f"{rate:g}": value for rate, value in zip(RATES, found.sensitivities, strict=True)},
        "ap": found.ap,
        "hit_rule": RULE,
        "draws": DRAWS,
        "seed": seed,
        "reasons": reasons,
    }


def _lesion(row: Row, known: frozenset[str]) -> Lesion:
    radius = row.finite("radius")
    if radius <= 0:
        raise InvalidDataset(f"{row.place}: radius: found {radius:g}, needed more than 0")
    return Lesion(_case(row, known), _place(row), radius)


def _mark(row: Row, known: frozenset[str]) -> Mark:
    return Mark(_case(row, known), _place(row), row.finite("score"))


def _place(row: Row) -> tuple[float, float, float]:
    return (row.finite("x"), row.finite("y"), row.finite("z"))


def _case(row: Row, known: frozenset[str]) -> str:
    case = row.text("case")
    if case not in known:
        raise InvalidDataset(f"{row.place}: case: found {case!r}, needed one of the cases in the table of all cases")
    return case
