"""How far images lie from those that a network was fitted to."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

THUMBNAIL = 12
"""The image itself, this small each way, is gauged beside the network's features: it shows what lies where."""

MAX_DIRECTIONS = 96
KEPT_VARIANCE = 0.98
EMBEDDING_SIZE = 32
"""Principal coordinates that are kept with a result, enough to watch for drift."""

IN_SCOPE_KEPT = 0.985
"""Share of unseen in-scope studies that the limit lets through."""


@dataclass(frozen=True, slots=True)
class Directions:
    """Principal directions of the features of some images: `mean` and `scale` (d,), `axes` (k, d), `spread` (k,), and
    the variance `rest` left in each further direction; features of unit variance."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    axes: NDArray[np.float64]
    spread: NDArray[np.float64]
    rest: float


def principal_directions(features: NDArray[np.float32]) -> Directions:
    """Return the directions of `features` (n, d) in which images of the training set differ."""
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-3
    scaled = (features - mean) / scale
    _, singular, axes = np.linalg.svd(scaled.astype(np.float64), full_matrices=False)
    variance = singular**2 / max(1, len(features) - 1)
    kept = int(np.searchsorted(np.cumsum(variance) / variance.sum(), KEPT_VARIANCE)) + 1
    kept = min(kept, MAX_DIRECTIONS, len(variance) - 1)
    rest = variance[kept:].sum() / (features.shape[1] - kept)
    return Directions(mean, scale, axes[:kept], np.sqrt(variance[:kept]), float(max(rest, 1e-4)))


class Gauge(nn.Module):
    """How far images lie from those that a network was fitted to, 1 being the median of images it has not seen.

    The square root of the Mahalanobis distance in the principal directions plus the distance from their plane.

    Source: K. Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples, NeurIPS 2018; the
    distance from the plane after M. Tipping and C. Bishop, Probabilistic Principal Component Analysis, 1999.
    """

    def __init__(self, directions: Directions) -> None:
        super().__init__()
        self.register_buffer("mean", _tensor(directions.mean))
        self.register_buffer("scale", _tensor(directions.scale))
        self.register_buffer("axes", _tensor(directions.axes))
        self.register_buffer("spread", _tensor(directions.spread))
        self.register_buffer("usual", torch.tensor(1.0))
        self.rest = directions.rest
        self.directions = len(directions.mean)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return novelty (n,) and principal coordinates (n, k) of features (n, d)."""
        scaled = (features - self.get_buffer("mean")) / self.get_buffer("scale")
        along = scaled @ self.get_buffer("axes").T
        coordinates = along / self.get_buffer("spread")
        off_plane = ((scaled**2).sum(dim=1) - (along**2).sum(dim=1)).clamp(min=0) / self.rest
        distance = ((coordinates**2).sum(dim=1) + off_plane) / self.directions
        return distance.sqrt() / self.get_buffer("usual"), coordinates

    def call_usual(self, distances: NDArray[np.float32]) -> None:
        """Make the median of `distances`, which this gauge gave to images it has not seen, the unit."""
        self.get_buffer("usual").fill_(float(np.median(distances)))


def gauged_features(image: Tensor, embedding: Tensor) -> Tensor:
    """Return what a gauge looks at (n, d): the embedding, and the image itself made small."""
    small = functional.avg_pool2d(image[:, :1], (image.shape[2] // THUMBNAIL, image.shape[3] // THUMBNAIL))
    return torch.cat([embedding, small.flatten(1)], dim=1)


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
