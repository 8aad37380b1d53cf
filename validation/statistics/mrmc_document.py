"""What `acuity stats mrmc` says about readers and modalities, as one JSON object."""

from dataclasses import asdict, dataclass
from math import isinf
from pathlib import Path

import numpy as np

from triage.errors import InvalidDataset
from validation.discrimination import Numbers
from validation.labels_table import named, read_table
from validation.statistics.mrmc import (
    Analysis,
    delong_covariance,
    error_covariances,
    fixed_cases,
    fixed_readers,
    jackknife_covariance,
    random_readers_random_cases,
    reader_areas,
)
from validation.statistics.scored_cases import Truth, require_once

LEVEL = 0.95
Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Ratings:
    """A crossed design: `ratings` of shape (modalities, readers, cases), names in alphabetical order."""

    modalities: tuple[str, ...]
    readers: tuple[str, ...]
    cases: tuple[str, ...]
    truth: Truth
    ratings: Numbers


def read_ratings(path: Path) -> Ratings:
    """Return the ratings of a CSV file with the columns `reader`, `modality`, `case`, `truth`, `rating`.

    Raises:
        InvalidDataset: the table cannot be read, a rating is missing, there twice or no number, a case has two truths,
            or there are fewer than two modalities, positives or negatives.
    """
    rows = read_table(path, ("reader", "modality", "case", "truth", "rating"))
    keys = [(row.text("modality"), row.text("reader"), row.text("case")) for row in rows]
    require_once(rows, keys)
    rating_of = {key: row.finite("rating") for key, row in zip(keys, rows, strict=True)}
    truths: dict[str, bool] = {}
    for key, row in zip(keys, rows, strict=True):
        if truths.setdefault(key[2], row.is_true("truth")) != row.is_true("truth"):
            raise InvalidDataset(
                f"{row.place}: truth: found {row.values['truth']!r}, needed the same for case {key[2]!r}"
            )
    modalities, readers, cases = (tuple(sorted({key[part] for key in keys})) for part in range(3))
    for wanted in ((modality, reader, case) for modality in modalities for reader in readers for case in cases):
        if wanted not in rating_of:
            raise InvalidDataset(
                f"{named(path)}: no rating of case {wanted[2]!r} by reader {wanted[1]!r} in modality "
                f"{wanted[0]!r}, needed every reader to rate every case in every modality"
            )
    truth = np.array([truths[case] for case in cases])
    smallest = min(int(truth.sum()), int((~truth).sum()))
    if len(modalities) < 2 or smallest < 2:
        raise InvalidDataset(
            f"{named(path)}: found {len(modalities)} modalities, {int(truth.sum())} positive and "
            f"{int((~truth).sum())} negative cases, needed at least two of each"
        )
    ratings = np.array([rating_of[m, r, c] for m in modalities for r in readers for c in cases])
    shape = (len(modalities), len(readers), len(cases))
    return Ratings(modalities, readers, cases, truth, ratings.reshape(shape))


def mrmc_document(data: Ratings) -> Document:
    """Return the three analyses for both covariances; differences are the first modality minus the second."""
    areas = reader_areas(data.truth, data.ratings)
    reasons: dict[str, str] = {"df2": "null with fixed readers: infinite, f times df1 is a chi-square"}
    covariances = {
        "delong": delong_covariance(data.truth, data.ratings),
        "jackknife": jackknife_covariance(data.truth, data.ratings),
    }
    return {
        "n_readers": len(data.readers),
        "n_cases": len(data.cases),
        "n_positive": int(data.truth.sum()),
        "modalities": data.modalities,
        "difference_of": f"{data.modalities[0]} minus {data.modalities[1]}" if len(data.modalities) == 2 else None,
        "auc": {
            modality: dict(zip(data.readers, row.tolist(), strict=True))
            for modality, row in zip(data.modalities, areas, strict=True)
        },
        "mean_auc": dict(zip(data.modalities, areas.mean(axis=1).tolist(), strict=True)),
        "covariance": {name: _analyses(data, areas, matrix, reasons) for name, matrix in covariances.items()},
        "reasons": reasons,
    }


def _analyses(data: Ratings, areas: Numbers, covariance: Numbers, reasons: dict[str, str]) -> Document:
    errors = error_covariances(covariance, *areas.shape)
    found = {
        "random_readers_and_cases": random_readers_random_cases(areas, errors, LEVEL),
        "fixed_readers": fixed_readers(areas, errors, LEVEL),
        "fixed_cases": fixed_cases(areas, LEVEL),
    }
    reasons |= {name: analysis.reason for name, analysis in found.items() if analysis.reason}
    return asdict(errors) | {name: _analysis(data, analysis) for name, analysis in found.items()}


def _analysis(data: Ratings, found: Analysis) -> Document:
    """Return one analysis; with two modalities their difference stands beside the test, with more in a list."""
    pairs = [
        {
            "modalities": (data.modalities[one.first], data.modalities[one.second]),
            "difference": one.value,
            "ci95": one.interval,
            "p": one.p,
        }
        for one in found.differences
    ]
    alone = pairs[0] if len(pairs) == 1 else {"difference": None, "ci95": None}
    return {
        "f": found.f,
        "df1": found.df1,
        "df2": None if found.df2 is None or isinf(found.df2) else found.df2,
        "p": found.p,
        "difference": alone["difference"],
        "ci95": alone["ci95"],
        "pairs": pairs,
    }
