"""What can be told without looking at the lesion: the figures that a model must be read beside."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.ensemble import RandomForestClassifier

from models.training.calibration import auc
from models.training.figures import rounded

TREES = 300
FRAME_FRACTION = 12
"""The outer frame is one twelfth of the image on each side."""


@dataclass(frozen=True, slots=True)
class Shortcuts:
    """Slice AUC of a random forest in the same folds, from three views that do not show a lesion as such."""

    thumbnail_16: float
    outer_frame: float
    size_only: float


def shortcut_aucs(
    files: list[list[Path]], truth: list[NDArray[np.bool_]], folds: NDArray[np.int64], seed: int
) -> Shortcuts:
    """Return the baselines for `files` and `truth`, one list per patient, `folds` naming each patient's fold."""
    views = [[_views(path) for path in own] for own in files]
    labels = np.concatenate(truth)
    fold_of_slice = np.concatenate([np.full(len(own), fold) for own, fold in zip(files, folds, strict=True)])
    areas = []
    for number in range(3):
        features = np.stack([one[number] for own in views for one in own])
        scores = np.zeros(len(labels))
        for fold in np.unique(folds):
            train, test = fold_of_slice != fold, fold_of_slice == fold
            forest = RandomForestClassifier(TREES, class_weight="balanced", random_state=seed)
            scores[test] = forest.fit(features[train], labels[train]).predict_proba(features[test])[:, 1]
        areas.append(rounded(auc(labels, scores)))
    return Shortcuts(*areas)


def _views(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    with Image.open(path) as image:
        grey = image.convert("L")
        thumbnail = np.asarray(grey.resize((16, 16), Image.Resampling.BOX), dtype=np.float32)
        small = np.asarray(grey.resize((48, 48), Image.Resampling.BOX), dtype=np.float32)
        size = np.array([*grey.size, path.stat().st_size], dtype=np.float32)
    inner = np.zeros(small.shape, dtype=bool)
    edge = len(small) // FRAME_FRACTION
    inner[edge:-edge, edge:-edge] = True
    return thumbnail.ravel(), small[~inner], size
