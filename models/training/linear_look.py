"""Weighing the features of published stages: whitened principal components, then a logistic regression."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from models.training.transfer_network import TransferNetwork

COMPONENTS = 100
STRENGTH = 0.01
"""Inverse strength of the regularisation of scikit-learn's `LogisticRegression`, on components of variance 1."""


def learn(network: TransferNetwork, images: Tensor, positive: NDArray[np.bool_], seed: int) -> None:
    """Fit the network's linear look to `images` (n, 1, rows, rows) and their mirror images.

    Few components and a strong penalty: there are more features than images. The standardisation, the components and
    the regression are all linear, so they are folded into one weight for each feature and a bias.
    """
    features = np.concatenate([_features_of(network, images), _features_of(network, images.flip(3))]).astype(np.float64)
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    whiten = PCA(min(COMPONENTS, len(positive) - 1), whiten=True, random_state=seed)
    regression = LogisticRegression(C=STRENGTH, max_iter=1000)
    regression.fit(whiten.fit_transform((features - mean) / scale), np.tile(positive, 2))
    weight = (regression.coef_[0] / np.sqrt(whiten.explained_variance_)) @ whiten.components_ / scale
    bias = float(regression.intercept_[0] - weight @ (mean + whiten.mean_ * scale))
    kept = network.look.get_buffer("weight")
    kept.copy_(torch.from_numpy(weight).reshape(kept.shape))
    network.look.get_buffer("bias").fill_(bias)


def _features_of(network: TransferNetwork, images: Tensor) -> NDArray[np.float32]:
    network.eval()
    with torch.inference_mode():
        parts = [network.looked_at(images[at : at + 64]).cpu().numpy() for at in range(0, len(images), 64)]
    return np.concatenate(parts)
