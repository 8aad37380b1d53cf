"""Cases out of answers, and which studies of a set are asked about."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from validation.answers import StudyAnswer
from validation.labelled_images import Dataset, LabelledStudy
from validation.statistics.scored_cases import ScoredCases


def cases_of(answers: Sequence[StudyAnswer], unit: str) -> ScoredCases:
    """Return the answered studies, or their images with a label, as cases clustered by patient."""
    rows: list[tuple[str, bool, float, str]] = []
    for one in answers:
        if unit == "study" and one.probability is not None:
            rows.append((one.study.study, bool(one.study.label), one.probability, one.study.patient))
        elif unit == "image":
            rows += [
                (image.name, bool(image.image.label), image.probability, image.image.patient)
                for image in one.images
                if image.image.label is not None
            ]
    return ScoredCases(
        names=tuple(row[0] for row in rows),
        truth=np.array([row[1] for row in rows], dtype=np.bool_),
        scores=np.array([row[2] for row in rows], dtype=np.float64),
        clusters=tuple(row[3] for row in rows),
    )


def common_cases(first: ScoredCases, second: ScoredCases) -> tuple[ScoredCases, ScoredCases]:
    """Return the cases that both hold, in one order."""
    names = [name for name in first.names if name in set(second.names)]
    return _chosen(first, names), _chosen(second, names)


def subset(dataset: Dataset, positive: int, negative: int, seed: int) -> tuple[LabelledStudy, ...]:
    """Return so many studies of each kind, as far as there are; the same seed chooses the same ones."""

    def place(study: LabelledStudy) -> str:
        return hashlib.sha256(f"{seed} {study.study}".encode()).hexdigest()

    kinds = [sorted((one for one in dataset.studies if one.label is label), key=place) for label in (True, False)]
    chosen = {one.study for kind, count in zip(kinds, (positive, negative), strict=True) for one in kind[:count]}
    return tuple(one for one in dataset.studies if one.study in chosen)


def _chosen(cases: ScoredCases, names: Sequence[str]) -> ScoredCases:
    places = {name: number for number, name in enumerate(cases.names)}
    order = [places[name] for name in names]
    clusters = cases.clusters or cases.names
    return replace(
        cases,
        names=tuple(names),
        truth=cases.truth[order],
        scores=cases.scores[order],
        clusters=tuple(clusters[one] for one in order),
    )
