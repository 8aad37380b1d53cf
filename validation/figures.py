"""The figures of a validation run: what was answered against what is true, intervals clustered by patient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.triage_spec import OperatingPoint, TriageSpec
from validation.answers import ImageAnswer, StudyAnswer
from validation.discrimination import RocArea, roc_area
from validation.intervals import Proportion, clustered_proportion
from validation.statistics.calibration import (
    Bin,
    CoxFit,
    brier_score,
    cox_fit,
    expected_calibration_error,
    reliability,
)
from validation.statistics.scored_cases import ScoredCases


@dataclass(frozen=True, slots=True)
class AtPoint:
    """What happens to studies at one operating point: flagged when their probability reaches the threshold.

    `ppv` and `npv` hold for the share of positives in this data set and for no other.
    """

    point: OperatingPoint
    active: bool
    tp: int
    fp: int
    tn: int
    fn: int
    sensitivity: Proportion
    specificity: Proportion
    ppv: Proportion
    npv: Proportion


@dataclass(frozen=True, slots=True)
class Subgroup:
    """The answered studies and images for which `column` has `value`; rates at the active operating point."""

    column: str
    value: str
    n_studies: int
    n_positive_studies: int
    n_images: int
    study_auc: RocArea
    image_auc: RocArea
    sensitivity: Proportion
    specificity: Proportion


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether the probabilities of studies mean what they say; the Cox figures are None where no fit exists."""

    n: int
    brier: float
    expected_error: float
    cox: CoxFit
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that labels and answers allow; counts cover all labelled studies, rates the answered ones.

    `n_image_labels` counts the images with a label of their own.
    """

    n_images: int
    n_image_labels: int
    n_studies: int
    n_positive_studies: int
    n_patients: int
    n_refused: int
    n_refused_positive: int
    study_auc: RocArea
    image_auc: RocArea
    at_points: tuple[AtPoint, ...]
    subgroups: tuple[Subgroup, ...]
    calibration: Calibration | None = None


def figures_of(answers: Sequence[StudyAnswer], spec: TriageSpec, subgroup_columns: Sequence[str]) -> Figures:
    """Return the figures of `answers`; refused studies are counted and enter no rate."""
    answered = [one for one in answers if one.probability is not None]
    refused = [one for one in answers if one.probability is None]
    images = [image for one in answered for image in one.images]
    return Figures(
        n_images=sum(len(one.study.images) for one in answers),
        n_image_labels=sum(image.label is not None for one in answers for image in one.study.images),
        n_studies=len(answers),
        n_positive_studies=sum(bool(one.study.label) for one in answers),
        n_patients=len({one.study.patient for one in answers}),
        n_refused=len(refused),
        n_refused_positive=sum(bool(one.study.label) for one in refused),
        study_auc=_study_area(answered),
        image_auc=_image_area(images),
        at_points=tuple(_at(point, point == spec.active, answered) for point in spec.operating_points),
        subgroups=tuple(
            _subgroup(column, value, answered, images, spec)
            for column in subgroup_columns
            for value in sorted({_value_of_image(image, column) for image in images} - {""})
        ),
        calibration=_calibration(scored_studies(answers)),
    )


def scored_studies(answers: Sequence[StudyAnswer]) -> ScoredCases:
    """Return the answered studies with their truth, probability and patient."""
    answered = [(one, one.probability) for one in answers if one.probability is not None]
    return _scored([(one.study.study, one.study.label, score, one.study.patient) for one, score in answered])


def scored_images(answers: Sequence[StudyAnswer]) -> ScoredCases:
    """Return the answered images that have a label, with their truth, probability and patient."""
    images = [image for one in answers for image in one.images if image.image.label is not None]
    return _scored([(one.name, one.image.label, one.probability, one.image.patient) for one in images])


def _scored(cases: Sequence[tuple[str, bool | None, float, str]]) -> ScoredCases:
    return ScoredCases(
        names=tuple(name for name, _, _, _ in cases),
        truth=np.array([bool(label) for _, label, _, _ in cases], dtype=np.bool_),
        scores=np.array([score for _, _, score, _ in cases], dtype=np.float64),
        clusters=tuple(patient for _, _, _, patient in cases),
    )


def _calibration(cases: ScoredCases) -> Calibration | None:
    truth, scores = cases.truth, cases.scores
    if not len(truth):
        return None
    return Calibration(
        n=len(truth),
        brier=brier_score(truth, scores),
        expected_error=expected_calibration_error(truth, scores),
        cox=cox_fit(truth, scores),
        bins=tuple(reliability(truth, scores)),
    )


def _study_area(answered: Sequence[StudyAnswer]) -> RocArea:
    return roc_area(
        [bool(one.study.label) for one in answered],
        [one.probability for one in answered if one.probability is not None],
        [one.study.patient for one in answered],
    )


def _image_area(images: Sequence[ImageAnswer]) -> RocArea:
    labelled = [one for one in images if one.image.label is not None]
    return roc_area(
        [bool(one.image.label) for one in labelled],
        [one.probability for one in labelled],
        [one.image.patient for one in labelled],
    )


def _at(point: OperatingPoint, active: bool, answered: Sequence[StudyAnswer]) -> AtPoint:
    def share(of: Callable[[bool, bool], bool], among: Callable[[bool, bool], bool]) -> Proportion:
        cases = [
            (bool(one.study.label), one.probability >= point.threshold, one.study.patient)
            for one in answered
            if one.probability is not None
        ]
        chosen = [case for case in cases if among(case[0], case[1])]
        return clustered_proportion([of(case[0], case[1]) for case in chosen], [case[2] for case in chosen])

    sensitivity = share(lambda _, flagged: flagged, among=lambda truth, _: truth)
    specificity = share(lambda _, flagged: not flagged, among=lambda truth, _: not truth)
    return AtPoint(
        point=point,
        active=active,
        tp=sensitivity.successes,
        fp=specificity.trials - specificity.successes,
        tn=specificity.successes,
        fn=sensitivity.trials - sensitivity.successes,
        sensitivity=sensitivity,
        specificity=specificity,
        ppv=share(lambda truth, _: truth, among=lambda _, flagged: flagged),
        npv=share(lambda truth, _: not truth, among=lambda _, flagged: not flagged),
    )


def _subgroup(
    column: str, value: str, answered: Sequence[StudyAnswer], images: Sequence[ImageAnswer], spec: TriageSpec
) -> Subgroup:
    studies = [one for one in answered if one.study.row.get(column, "") == value]
    members = [image for image in images if _value_of_image(image, column) == value]
    at = _at(spec.active, True, studies)
    return Subgroup(
        column=column,
        value=value,
        n_studies=len(studies),
        n_positive_studies=sum(bool(one.study.label) for one in studies),
        n_images=len(members),
        study_auc=_study_area(studies),
        image_auc=_image_area(members),
        sensitivity=at.sensitivity,
        specificity=at.specificity,
    )


def _value_of_image(image: ImageAnswer, column: str) -> str:
    return image.image.row.get(column, "")
