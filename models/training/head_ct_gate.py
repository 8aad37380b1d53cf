"""The gate of `ct-head-haemorrhage`, and what the whole model says about simulated heads."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from inference.postprocess import calibrated
from inference.preprocess import resampled_planes, stack_channels
from inference.volume import Volume
from models.training.bundle_files import PREPARATION
from models.training.calibration import auc, study_logits
from models.training.card import PhantomFigures
from models.training.export import ServingNetwork
from models.training.figures import exact_proportion
from models.training.gate import Grey, Refused, fit_gauges, other_kinds
from models.training.gauge import Gauge, gauged_features
from models.training.head_ct_dataset import LabelledStudy
from models.training.lesion_images import read_grey
from models.triage_spec import TriageSpec
from triage.identifiers import SopInstanceUid

TRIED_STUDIES = 30
"""So many studies are changed to see whether the gate notices."""
LOW_HU, HU_PER_GREY = -20.0, 120 / 255
"""What an 8-bit image of a brain window (level 40, width 120 HU) stands for."""


def gauges_of(
    studies: Sequence[LabelledStudy],
    folds: NDArray[np.int64],
    networks: Sequence[nn.Module],
    phantoms: Sequence[LabelledStudy],
) -> tuple[list[Gauge], float, Refused]:
    """Return a gauge per network, the common limit, and the share of unseen studies beyond it.

    The gauges know `phantoms` as well: the simulator's heads shall pass, and no figure is about them.
    """

    def features_of(network: nn.Module) -> list[NDArray[np.float32]]:
        return [_features(network, one) for one in studies]

    def of_phantoms(network: nn.Module) -> list[NDArray[np.float32]]:
        return [_features(network, one) for one in phantoms]

    return fit_gauges(networks, folds, features_of, of_phantoms)


def tried(
    network: ServingNetwork, studies: Sequence[LabelledStudy], limit: float, others: Sequence[Path], seed: int
) -> tuple[Refused, ...]:
    """Return how many studies of other kinds the whole model refuses, shown as CT in a brain window."""

    def novelty_of(grey: Grey) -> float:
        uids = tuple(SopInstanceUid(str(number)) for number in range(len(grey)))
        values = grey * np.float32(HU_PER_GREY) + np.float32(LOW_HU)
        _, planes, inside = resampled_planes(
            Volume(values, "HU", (None, None, None), uids, (None,) * len(grey)), PREPARATION
        )
        return float(np.median(_answers(network, stack_channels(planes, inside, 1, PREPARATION))[1]))

    own = [
        np.stack([read_grey(path) for path in one.files]) for one in studies[:: max(1, len(studies) // TRIED_STUDIES)]
    ]
    return other_kinds(own, novelty_of, limit, others, seed)


def phantom_figures(
    network: ServingNetwork, phantoms: Sequence[LabelledStudy], limit: float, spec: TriageSpec
) -> PhantomFigures:
    """Return what the whole model says about simulated heads that took no part in it."""
    positive = np.array([one.positive for one in phantoms])
    answers = [_answers(network, stack_channels(one.planes, one.inside, 1, PREPARATION)) for one in phantoms]
    refused = sum(float(np.median(novelty)) > limit for _, novelty in answers)
    scores = study_logits([logits.astype(np.float64) for logits, _ in answers], spec.aggregation)
    flagged = calibrated(scores, spec.calibration.study) >= spec.active.threshold
    return PhantomFigures(
        studies=len(phantoms),
        out_of_scope=exact_proportion(refused, len(phantoms)),
        study_auc=round(auc(positive, scores), 4),
        sensitivity=exact_proportion(int((flagged & positive).sum()), int(positive.sum())),
        specificity=exact_proportion(int((~flagged & ~positive).sum()), int((~positive).sum())),
    )


def _answers(network: ServingNetwork, tensor: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the logit and the novelty of each slice."""
    with torch.inference_mode():
        parts = [network(torch.from_numpy(tensor[start : start + 32])) for start in range(0, len(tensor), 32)]
    return np.concatenate([one[0][:, 0] for one in parts]), np.concatenate([one[4][:, 0] for one in parts])


def _features(network: nn.Module, study: LabelledStudy) -> NDArray[np.float32]:
    image = torch.from_numpy(stack_channels(study.planes, study.inside, 1, PREPARATION))
    with torch.inference_mode():
        return np.asarray(gauged_features(image, network(image)[1]).numpy())
