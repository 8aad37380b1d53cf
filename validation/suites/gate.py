"""Whether images that are none of the model's business are refused."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.answers import PixelChange
from validation.asking import Asker
from validation.datasets import load_dataset
from validation.labelled_images import Dataset, LabelledImage, LabelledStudy
from validation.result_document import Json
from validation.suites.chosen_cases import subset
from validation.suites.part_result import PartResult, rounded
from validation.suites.suite_file import Gate, GateSet

SYNTHETIC_STUDIES = 4
NAMED_REASONS = 3


@dataclass(frozen=True, slots=True)
class _Question:
    name: str
    dataset: Dataset
    studies: tuple[LabelledStudy, ...]
    change: PixelChange | None


def gate(asker: Asker, plan: Gate, beside: Path, seed: int) -> PartResult:
    """Return, for each set that is out of scope, the share of its studies that was refused and why.

    Sets that are not beside the main one are named and not measured. Two questions need no set: images of one value,
    and images of noise, both with the headers of the main set.
    """
    rows: list[Json] = []
    findings = []
    for one in plan.sets:
        if not (beside / one.data).is_dir():
            rows.append({"name": _name(one), "not_measured": f"no folder {one.data} beside the data set"})
    for question in _questions(asker, plan, beside, seed):
        asked = asker.ask_of(f"gate {question.name}", question.dataset, question.studies, question.change)
        share = len(asked.refused) / len(asked.answers)
        reasons = Counter(answer.refusal for answer in asked.refused).most_common(NAMED_REASONS)
        named: list[Json] = [reason for reason, _ in reasons]
        row: dict[str, Json] = {
            "name": question.name,
            "n": len(asked.answers),
            "n_refused": len(asked.refused),
            "n_flagged": sum(
                one.probability is not None and one.probability >= asker.subject.bundle.spec.active.threshold
                for one in asked.answers
            ),
            "refused": rounded(share),
            "reasons": named,
        }
        rows.append(row)
        if share < plan.min_refused:
            findings.append(
                f"gate: {question.name}: {len(asked.refused)} of {len(asked.answers)} refused, "
                f"at least {plan.min_refused:.0%}"
            )
    return PartResult({"sets": rows, "min_refused": plan.min_refused}, tuple(findings))


def _questions(asker: Asker, plan: Gate, beside: Path, seed: int) -> Iterator[_Question]:
    own = asker.subject.dataset
    for one in plan.sets:
        if not (beside / one.data).is_dir():
            continue
        other = load_dataset(beside / one.data)
        studies = subset(other, one.studies, one.studies, seed)[: one.studies]
        if one.disguised:
            # Only the headers are those of the main set: what the pixels show has to tell.
            description = replace(own.description, columns=other.description.columns)
            other = replace(other, description=description)
        yield _Question(_name(one), other, studies, None)
    if not own.is_dicom:
        studies = subset(own, SYNTHETIC_STUDIES, SYNTHETIC_STUDIES, seed)[:SYNTHETIC_STUDIES]
        yield _Question("images of one value", own, studies, _one_value)
        yield _Question("images of noise", own, studies, _noise)


def _name(one: GateSet) -> str:
    return f"{one.data} with the headers of the main set" if one.disguised else one.data


def _one_value(_image: LabelledImage, pixels: NDArray[Any]) -> NDArray[Any]:
    return np.full_like(pixels, 128)


def _noise(_image: LabelledImage, pixels: NDArray[Any]) -> NDArray[Any]:
    return np.random.default_rng(pixels.size).integers(0, 256, pixels.shape).astype(pixels.dtype)
