"""Weighing the features of a pretrained network: whitened principal components, then a logistic regression."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from models.training.lesion_network import LesionNetwork

STAGES = ("stem", "quarter", "eighth")
COMPONENTS = 80
STRENGTH = 0.01
"""Inverse strength of the regularisation of scikit-learn's `LogisticRegression`, on components of variance 1."""


def look_with(network: LesionNetwork, start: LesionNetwork) -> None:
    """Give `network` the first stages of `start` to look with."""
    for name in STAGES:
        network.first_look.get_submodule(name).load_state_dict(start.get_submodule(name).state_dict())


def share_pretrained(members: Sequence[LesionNetwork]) -> None:
    """Let members that look with the same pretrained stages hold them once: a smaller file."""
    for name in STAGES:
        for member in members:
            if member.plan.answer == "cells":
                member.first_look.set_submodule(name, members[0].first_look.get_submodule(name))


def learn(network: LesionNetwork, images: Tensor, positive: NDArray[np.bool_], seed: int) -> None:
    """Fit the weights of the first look to `images` (n, channels, rows, columns) and their mirror images.

    Few components and a strong penalty: there are more features than images. The standardisation, the components and
    the regression are all linear, so they are folded into one weight for each feature and a bias.
    """
    look = network.first_look
    features = np.concatenate([_features_of(network, images), _features_of(network, images.flip(3))]).astype(np.float64)
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    whiten = PCA(min(COMPONENTS, len(positive) - 1), whiten=True, random_state=seed)
    regression = LogisticRegression(C=STRENGTH, max_iter=1000)
    regression.fit(whiten.fit_transform((features - mean) / scale), np.tile(positive, 2))
    weight = (regression.coef_[0] / np.sqrt(whiten.explained_variance_)) @ whiten.components_ / scale
    bias = float(regression.intercept_[0] - weight @ (mean + whiten.mean_ * scale))
    look.get_buffer("weight").copy_(torch.from_numpy(weight))
    look.get_buffer("bias").fill_(bias)


def _features_of(network: LesionNetwork, images: Tensor) -> NDArray[np.float32]:
    look = network.first_look.eval()
    with torch.inference_mode():
        parts = [look.features(images[at : at + 64]).cpu().numpy() for at in range(0, len(images), 64)]
    return np.concatenate(parts)
