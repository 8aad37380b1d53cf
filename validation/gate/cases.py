"""The same studies answered by two models: read from two runs, and what a missing answer counts as."""

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triage.errors import InvalidDataset
from triage.findings import ModelIdentity
from validation.discrimination import Numbers
from validation.gate.plan import Missing
from validation.labelled_images import Dataset
from validation.run import PREDICTIONS_FILE, RESULT_FILE
from validation.statistics.scored_cases import Truth

A, B = 0, 1
"""The rows of both models: the reference and the candidate."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run wrote: `answers` holds for each study its probability and flag, None where it was refused."""

    document: Mapping[str, Any]
    answers: Mapping[str, tuple[float, bool] | None]
    predictions_sha256: str

    @property
    def model(self) -> ModelIdentity:
        known = self.document
        return ModelIdentity(known["bundle"], known["bundle_version"], known["bundle_digest"])

    @property
    def measured_at(self) -> datetime:
        return datetime.fromisoformat(self.document["measured_at"])


@dataclass(frozen=True, slots=True)
class Cases:
    """Studies with their patients; `scores`, `flagged` and `answered` have the shape (2 models, studies)."""

    patients: NDArray[np.str_]
    truth: Truth
    scores: Numbers
    flagged: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    rows: tuple[Mapping[str, str], ...]

    def only(self, chosen: Truth) -> "Cases":
        """Return the studies for which `chosen` holds."""
        rows = tuple(row for row, kept in zip(self.rows, chosen.tolist(), strict=True) if kept)
        return Cases(
            self.patients[chosen],
            self.truth[chosen],
            self.scores[:, chosen],
            self.flagged[:, chosen],
            self.answered[:, chosen],
            rows,
        )


def read_run(folder: Path) -> Run:
    """Return what `acuity validate run` wrote to `folder`.

    Raises:
        InvalidDataset: a file is missing or is not what a run writes.
    """
    try:
        document = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
        predictions = (folder / PREDICTIONS_FILE).read_bytes()
        rows = csv.DictReader(io.StringIO(predictions.decode("utf-8"), newline=""))
        answers = {row["study"]: _answer(row) for row in rows if row["level"] == "study"}
        run = Run(document, answers, hashlib.sha256(predictions).hexdigest())
        if not run.model.digest or run.measured_at.tzinfo is None or not run.document["dataset_digest"]:
            raise ValueError("a value is empty")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidDataset(f"{folder}: {error!r}, needed the folder of an earlier `acuity validate run`") from error
    return run


def _answer(row: Mapping[str, str]) -> tuple[float, bool] | None:
    if not row["score"]:
        return None
    score = float(row["score"])
    if not 0 <= score <= 1 or row["flagged"] not in ("0", "1"):
        raise ValueError(f"study {row['study']}: score {row['score']}, flagged {row['flagged']}")
    return score, row["flagged"] == "1"


def paired_cases(dataset: Dataset, a: Run, b: Run) -> Cases:
    """Return the studies of `dataset` with both models' answers.

    Raises:
        InvalidDataset: a run was on other data, or does not hold the same studies.
    """
    for name, run in (("A", a), ("B", b)):
        if run.document["dataset_digest"] != dataset.digest:
            found = f"{run.document['dataset']} {str(run.document['dataset_digest'])[:12]}"
            raise InvalidDataset(
                f"{name}: measured on {found}, needed {dataset.description.name} {dataset.digest[:12]}"
            )
        if set(run.answers) != {one.study for one in dataset.studies}:
            raise InvalidDataset(f"{name}: its studies are not those of {dataset.description.name}, needed the same")
    studies = dataset.studies
    answers = [[run.answers[one.study] for one in studies] for run in (a, b)]
    return Cases(
        patients=np.array([one.patient for one in studies]),
        truth=np.array([bool(one.label) for one in studies]),
        scores=np.array([[np.nan if one is None else one[0] for one in row] for row in answers]),
        flagged=np.array([[one is not None and one[1] for one in row] for row in answers]),
        answered=np.array([[one is not None for one in row] for row in answers]),
        rows=tuple(one.row for one in studies),
    )


def treated(cases: Cases, missing: Missing) -> Cases:
    """Return the cases with what a missing answer counts as.

    Worst: where the candidate did not answer, a positive counts as missed with the lowest score of all and a negative
    as flagged with the highest. The same for the reference where neither answered; where the candidate alone did, the
    reference counts as right.
    """
    if missing is Missing.LEAVE_OUT:
        return cases.only(cases.answered[A] & cases.answered[B])
    scores, flagged = cases.scores.copy(), cases.flagged.copy()
    refused = ~cases.answered
    right = {A: cases.answered[B], B: np.zeros_like(cases.truth)}
    for model in (A, B):
        above = cases.truth == right[model]
        scores[model] = np.where(refused[model], np.where(above, 2.0, -1.0), scores[model])
        flagged[model] = np.where(refused[model], above, flagged[model])
    return replace(cases, scores=scores, flagged=flagged)
