"""What makes up the recipe of a planar model: its data, its question, its network, and the words around them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from models.training.lesion_fit import FitPlan
from models.training.lesion_images import Row, Targets
from models.triage_spec import DisplayPolicy, Preparation, Segmentation
from triage.findings import Code
from triage.priority import Priority
from triage.selection import Acceptance

Counted = Literal["image", "study"]


@dataclass(frozen=True, slots=True)
class LeavingOut:
    """Also fit, once for each value of a column, to all images of other values: a device or institution unseen.

    `epochs` may be fewer than those of the plan, since nothing that is served comes from these fits.
    """

    column: str
    epochs: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that one planar model is made from.

    `labels` name what `targets` returns; the first one is what the model answers. `fold_column` holds the authors' own
    patient-wise folds, from 1; without it patients are dealt into `folds`. `counted` says on what the operating points
    are chosen and judged: studies, or, where no study is negative, images. `gate_margin` widens the gate of a model
    that is chosen by maker and was fitted to few images.
    """

    name: str
    version: str
    task: str
    description: str
    code: Code
    site: Code
    raises_to: Priority
    accepts: Acceptance
    preparation: Preparation
    labels: tuple[str, ...]
    targets: Targets
    plan: FitPlan
    folds: int
    counted: Counted
    active: str
    display_policy: DisplayPolicy
    segmentation: Segmentation | None
    licence: str
    licence_text: str
    citation: str
    modality: str
    data_words: str
    not_for: str
    weaknesses: tuple[str, ...]
    fold_column: str = ""
    gate_margin: float = 1.0
    subgroups: tuple[str, ...] = ()
    leaving_out: LeavingOut | None = None
    references: tuple[str, ...] = field(default_factory=tuple)
    changes: Mapping[str, str] = field(default_factory=lambda: {"1.0.0": "first version"})


def flag(row: Row, column: str) -> float:
    """Return 0 or 1 from a column, NaN where it is empty."""
    return float(row[column]) if row[column] else float("nan")
