"""How far the labels can be told without looking: from a thumbnail, the frame, or the size of the file."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import optimize
from scipy.special import expit

from validation.discrimination import RocArea, roc_area
from validation.image_files import read_image
from validation.labelled_images import LabelledImage

THUMBNAIL, RING = 16, 2
FOLDS = 5
PENALTY = 10.0
"""Of the squared weights of standardised features, against the sum of the log losses."""

Features = NDArray[np.float64]


def baselines(images: Sequence[LabelledImage]) -> dict[str, RocArea]:
    """Return the AUC per image of three logistic regressions, each fitted without the patient it is asked about.

    The thumbnail has 16 x 16 pixels; the frame is its two outermost rings; the size is the matrix and the file.

    Raises:
        InvalidDataset: an image cannot be decoded.
    """
    labelled = [image for image in images if image.label is not None]
    truth = np.array([bool(image.label) for image in labelled])
    patients = [image.patient for image in labelled]
    thumbnails = np.stack([_thumbnail(image) for image in labelled])
    frame = np.ones((THUMBNAIL, THUMBNAIL), dtype=np.bool_)
    frame[RING:-RING, RING:-RING] = False
    features = {
        "thumbnail": thumbnails.reshape(len(labelled), -1),
        "frame": thumbnails[:, frame],
        "size": np.array([_size(image) for image in labelled]),
    }
    return {
        name: roc_area(truth.tolist(), out_of_fold(values, truth, patients).tolist(), patients)
        for name, values in features.items()
    }


def out_of_fold(features: Features, truth: NDArray[np.bool_], patients: Sequence[str]) -> Features:
    """Return the log odds of each case by a regression that saw no case of its patient.

    Args:
        features: shape (cases, features).
        truth: of each case.
        patients: whose case it is; a hash of the name chooses one of five folds.

    Source: S. le Cessie, J. van Houwelingen, Applied Statistics 41 (1992) 191-201 (ridge logistic regression).
    """
    folds = np.array([int(hashlib.sha256(one.encode()).hexdigest()[:8], 16) % FOLDS for one in patients])
    scores = np.zeros(len(truth))
    for fold in range(FOLDS):
        held, seen = folds == fold, folds != fold
        if not held.any() or len(set(truth[seen].tolist())) < 2:
            continue
        middle, spread = features[seen].mean(axis=0), features[seen].std(axis=0)
        standard = (features - middle) / np.where(spread > 0, spread, 1)
        scores[held] = np.column_stack([standard[held], np.ones(held.sum())]) @ _fitted(standard[seen], truth[seen])
    return scores


def _fitted(features: Features, truth: NDArray[np.bool_]) -> Features:
    design = np.column_stack([features, np.ones(len(truth))])
    penalised = np.append(np.full(features.shape[1], PENALTY), 0.0)

    def loss(weights: Features) -> tuple[float, Features]:
        odds = design @ weights
        value = float((np.logaddexp(0, odds) - truth * odds).sum() + penalised @ weights**2 / 2)
        return value, design.T @ (expit(odds) - truth) + penalised * weights

    return np.asarray(optimize.minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x)


def _thumbnail(image: LabelledImage) -> Features:
    pixels = read_image(image).pixels.astype(np.float32)
    return np.asarray(Image.fromarray(pixels).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX), dtype=np.float64)


def _size(image: LabelledImage) -> tuple[float, float, float]:
    with Image.open(image.path) as opened:
        columns, rows = opened.size
    return (float(np.log(columns)), float(np.log(rows)), float(np.log(image.path.stat().st_size)))
