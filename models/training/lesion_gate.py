"""The gate of a planar model: what it judges as one, what it looks at, and on what it is tried."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from inference.preprocess import resampled_planes, stack_channels
from models.training.gate import SAMPLE, Grey, Refused, fit_gauges, other_kinds
from models.training.gauge import Gauge, gauged_features
from models.training.lesion_fit import batch_of, network_input
from models.training.lesion_folds import CrossValidated
from models.training.lesion_images import ImageSet, as_volume, read_grey
from models.training.lesion_recipe import Recipe
from models.training.lesion_serving import ServingLesions


def gauges_of(recipe: Recipe, images: ImageSet, result: CrossValidated) -> tuple[list[Gauge], float, Refused]:
    """Return a gauge per member, the common limit, and the share of unseen studies beyond it."""
    studies = _judged_together(recipe, images)

    def features_of(network: nn.Module) -> list[NDArray[np.float32]]:
        features = _features(network, images, recipe)
        return [features[study] for study in studies]

    folds = np.array([result.folds[study[0]] for study in studies])
    return fit_gauges([one.network for one in result.members], folds, features_of, margin=recipe.gate_margin)


def tried(
    recipe: Recipe, images: ImageSet, network: ServingLesions, limit: float, others: Sequence[Path]
) -> tuple[Refused, ...]:
    """Return how many studies of other kinds the whole model refuses."""
    preparation = recipe.preparation

    def novelty_of(grey: Grey) -> float:
        _, planes, inside = resampled_planes(as_volume(list(grey)), preparation)
        tensor = torch.from_numpy(stack_channels(planes, inside, 1, preparation))
        with torch.inference_mode():
            return float(np.median(network(tensor)[3].numpy()))

    studies = _judged_together(recipe, images)
    chosen = np.random.default_rng(recipe.plan.seed).permutation(len(studies))[:SAMPLE]
    own = [np.stack([read_grey(images.files[index]) for index in studies[study]]) for study in chosen]
    return other_kinds(own, novelty_of, limit, others, recipe.plan.seed)


def _judged_together(recipe: Recipe, images: ImageSet) -> list[NDArray[np.int64]]:
    """Return the images that the gate judges as one: each still, or the slices of each study."""
    if recipe.accepts.stills:
        return [np.array([index]) for index in range(len(images))]
    return [np.flatnonzero(images.studies == study) for study in np.unique(images.studies)]


def _features(network: nn.Module, images: ImageSet, recipe: Recipe) -> NDArray[np.float32]:
    found = []
    network.eval().cpu()
    with torch.inference_mode():
        for start in range(0, len(images), 64):
            planes, _ = batch_of(images, np.arange(start, min(start + 64, len(images))), recipe.preparation)
            image = network_input(planes, recipe.preparation)
            found.append(gauged_features(image, network(image)[2]).numpy())
    return np.concatenate(found)
