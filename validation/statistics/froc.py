"""Free-response ROC: how many lesions are found at how many false positives per case.

The rule for hits: a mark hits every lesion whose centre lies within the lesion's radius of it, the border included. A
lesion counts once, with the highest score of the marks that hit it; further hits count as neither. A mark that hits no
lesion is a false positive. This is the rule of LUNA16, A. Setio et al., Medical Image Analysis 42 (2017) 1-13.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from validation.discrimination import Numbers
from validation.intervals import LEVEL, Interval
from validation.statistics.bootstrap import BLOCK, DRAWS, drawn_counts

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per case at which LUNA16 reads the curve."""

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Lesion:
    """A true lesion: a ball around `centre`; all in one unit, mm as a rule."""

    case: str
    centre: Point
    radius: float


@dataclass(frozen=True, slots=True)
class Mark:
    """What the model points at, and how sure it is."""

    case: str
    place: Point
    score: float


@dataclass(frozen=True, slots=True)
class Matched:
    """Every lesion that was hit and every false positive, highest score first.

    Attributes:
        cases: how many there are, those without lesions and without marks included.
        lesions: how many of each case, shape (cases,).
        scores: of each event, shape (events,).
        case_of: number of its case.
        is_hit: whether it is a lesion found; otherwise a false positive.
        ends: numbers of the last event of each score.
    """

    cases: int
    lesions: NDArray[np.int64]
    scores: Numbers
    case_of: NDArray[np.int64]
    is_hit: NDArray[np.bool_]
    ends: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Froc:
    """The figures are None without a lesion; `sensitivities` belong to RATES."""

    n_cases: int
    n_lesions: int
    n_hit: int
    n_false_positives: int
    sensitivities: tuple[float | None, ...]
    cpm: float | None
    ap: float | None


def match(cases: Sequence[str], lesions: Sequence[Lesion], marks: Sequence[Mark]) -> Matched:
    """Return which lesions were hit and which marks are false positives; every case named must be in `cases`."""
    number_of = {case: number for number, case in enumerate(cases)}
    lesions_of: dict[str, list[Lesion]] = {}
    for lesion in lesions:
        lesions_of.setdefault(lesion.case, []).append(lesion)
    best: dict[int, Mark] = {}
    events: list[tuple[float, int, bool]] = []
    for mark in marks:
        hit = [one for one in lesions_of.get(mark.case, ()) if _is_hit(one, mark)]
        for lesion in hit:
            if id(lesion) not in best or mark.score > best[id(lesion)].score:
                best[id(lesion)] = mark
        if not hit:
            events.append((mark.score, number_of[mark.case], False))
    events += [(mark.score, number_of[mark.case], True) for mark in best.values()]
    events.sort(key=lambda event: -event[0])
    scores = np.array([event[0] for event in events], dtype=np.float64)
    return Matched(
        cases=len(cases),
        lesions=np.bincount([number_of[one.case] for one in lesions], minlength=len(cases)).astype(np.int64),
        scores=scores,
        case_of=np.array([event[1] for event in events], dtype=np.int64),
        is_hit=np.array([event[2] for event in events], dtype=np.bool_),
        ends=np.flatnonzero(np.append(np.diff(scores) != 0, True)[: len(scores)]).astype(np.int64),
    )


def froc(matched: Matched) -> Froc:
    """Return sensitivities, their mean (CPM) and the average precision.

    The curve is straight between two scores, and level beyond its last point. AP is the sum of precision times the
    gain in sensitivity over all scores, not interpolated.

    Source: M. Niemeijer et al., IEEE Transactions on Medical Imaging 30 (2011) 215-223 (CPM); G. Salton, M. McGill,
    Introduction to Modern Information Retrieval (1983) (AP).
    """
    n_lesions, n_hit = int(matched.lesions.sum()), int(matched.is_hit.sum())
    counts = (matched.cases, n_lesions, n_hit, len(matched.scores) - n_hit)
    if n_lesions == 0:
        return Froc(*counts, sensitivities=(None,) * len(RATES), cpm=None, ap=None)
    weights = np.ones((1, matched.cases), dtype=np.int64)
    found = _sensitivities(matched, weights)[0]
    hits, alarms = (one[0] for one in _cumulated(matched, weights))
    precision = hits / np.maximum(1, hits + alarms)
    ap = float(np.sum(precision * np.diff(hits, prepend=0))) / n_lesions
    return Froc(*counts, sensitivities=tuple(map(float, found)), cpm=float(found.mean()), ap=ap)


def cpm_interval(
    matched: Matched, seed: int, draws: int = DRAWS, level: float = LEVEL, groups: NDArray[np.int64] | None = None
) -> Interval | None:
    """Return the percentile interval of CPM over samples of whole cases; None without a lesion, or with one case.

    With `groups`, the number of each case's group, whole groups are drawn: the images of a patient, say.

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), 13.3; by case as in LUNA16.
    """
    members = np.arange(matched.cases) if groups is None else groups
    size = len(np.unique(members))
    if size < 2 or not matched.lesions.any():
        return None
    random = np.random.default_rng(seed)
    found = np.empty(0)
    while len(found) < draws:
        weights = drawn_counts(random, size, BLOCK)[:, members]
        # A sample without a lesion has no sensitivity; another is drawn.
        weights = weights[weights @ matched.lesions > 0]
        found = np.append(found, _sensitivities(matched, weights).mean(axis=1))
    low, high = np.quantile(found[:draws], [(1 - level) / 2, (1 + level) / 2])
    return (float(low), float(high))


def _is_hit(lesion: Lesion, mark: Mark) -> bool:
    squared = sum((a - b) ** 2 for a, b in zip(lesion.centre, mark.place, strict=True))
    return squared <= lesion.radius**2


def _cumulated(matched: Matched, weights: NDArray[np.int64]) -> tuple[Numbers, Numbers]:
    """Return how many hits and false positives reach each score, for each row of weights of the cases."""
    counts = weights[:, matched.case_of]
    hits = np.cumsum(counts * matched.is_hit, axis=1)[:, matched.ends].astype(np.float64)
    return hits, np.cumsum(counts, axis=1)[:, matched.ends] - hits


def _sensitivities(matched: Matched, weights: NDArray[np.int64]) -> Numbers:
    """Return the sensitivity at each of RATES, shape (rows of weights, rates)."""
    hits, alarms = _cumulated(matched, weights)
    start = np.zeros((len(weights), 1))
    # Groups differ in size, so that samples of them differ in their number of cases.
    across = np.concatenate([start, alarms / weights.sum(axis=1, keepdims=True)], axis=1)
    up = np.concatenate([start, hits / (weights @ matched.lesions)[:, np.newaxis]], axis=1)
    return np.stack([_height(across, up, rate) for rate in RATES], axis=1)


def _height(across: Numbers, up: Numbers, rate: float) -> Numbers:
    """Return how high each curve is at `rate`; where it rises vertically there, the upper end."""
    rows = np.arange(len(across))
    left = (across <= rate).sum(axis=1) - 1
    right = np.minimum(left + 1, across.shape[1] - 1)
    x, width = across[rows, left], across[rows, right] - across[rows, left]
    # Beyond the last point the curve is level: left and right are the same, and the width is zero.
    part = np.divide(rate - x, width, out=np.zeros(len(rows)), where=width > 0)
    return np.asarray(up[rows, left] + part * (up[rows, right] - up[rows, left]))
