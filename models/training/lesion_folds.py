"""Cross-validation of a planar recipe: one network per fold of the patients, each kept as soon as it is fitted."""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.kept import Fitted, fitted_or_kept, key_of
from models.training.lesion_fit import Predicted, fit, predict
from models.training.lesion_images import ImageSet
from models.training.lesion_recipe import Recipe
from models.training.planar_network import PlanarNetwork, network_of
from models.training.progress import WatcherOf
from triage.errors import InvalidDataset


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """One network per fold, and for every image what the network that did not see its patient says about it.

    `folds` (n,) counts from 0; `logits` (n, labels), `maps` (n, h, w), `embeddings` (n, d) belong to the images.
    """

    folds: NDArray[np.int64]
    members: tuple[Fitted[PlanarNetwork], ...]
    unseen: Predicted


def cross_validate(
    recipe: Recipe,
    images: ImageSet,
    kept: Path,
    device: str,
    watcher_of: WatcherOf,
) -> CrossValidated:
    """Fit one network per fold and score what it did not see; folds that lie fitted in `kept` are taken from there.

    Args:
        recipe: what to fit.
        images: the data set, prepared.
        kept: folder for the networks; a network is used again only with the same recipe and data.
        device: "cpu" or "cuda".
        watcher_of: who is told about the progress of each fold.
    """
    folds = folds_of(recipe, images)
    members = []
    for fold in range(recipe.folds):
        seen, watch = np.flatnonzero(folds != fold), watcher_of(f"fold {fold + 1} of {recipe.folds}")
        fit_now = partial(fit, images, seen, recipe.preparation, recipe.plan, device, watch)
        key, empty = key_of_fit(recipe, images, seen), network_of(recipe.plan.network)
        members.append(fitted_or_kept(kept / f"fold-{fold + 1}.pt", key, empty, fit_now))
    return CrossValidated(folds, tuple(members), _unseen(recipe, images, folds, members, device))


def folds_of(recipe: Recipe, images: ImageSet) -> NDArray[np.int64]:
    """Return the fold of every image, counted from 0; all images of a patient lie in one.

    Raises:
        InvalidDataset: the authors' folds divide a patient.
    """
    patients, member = np.unique(images.patients, return_inverse=True)
    if recipe.fold_column:
        folds = images.column(recipe.fold_column).astype(np.int64) - 1
        for patient in range(len(patients)):
            if len(set(folds[member == patient])) > 1:
                raise InvalidDataset(f"{images.name}: patient {patients[patient]} in two folds, needed in one")
        return folds
    positive = np.zeros(len(patients))
    np.maximum.at(positive, member, np.nan_to_num(images.targets[:, 0]))
    random = np.random.default_rng(recipe.plan.seed)
    order = np.lexsort((random.random(len(patients)), positive))
    dealt = np.empty(len(patients), dtype=np.int64)
    dealt[order] = np.arange(len(patients)) % recipe.folds
    return np.asarray(dealt[member])


def _unseen(
    recipe: Recipe, images: ImageSet, folds: NDArray[np.int64], members: list[Fitted[PlanarNetwork]], device: str
) -> Predicted:
    unseen = [np.flatnonzero(folds == fold) for fold in range(len(members))]
    parts = [
        predict(member.network, images, indices, recipe.preparation, device)
        for member, indices in zip(members, unseen, strict=True)
    ]
    order = np.argsort(np.concatenate(unseen))
    return Predicted(
        logits=np.concatenate([one.logits for one in parts])[order],
        maps=np.concatenate([one.maps for one in parts])[order],
        embeddings=np.concatenate([one.embeddings for one in parts])[order],
    )


def key_of_fit(recipe: Recipe, images: ImageSet, chosen: NDArray[np.int64]) -> str:
    """Return what a network that is fitted to the images `chosen` depends on."""
    return key_of(asdict(recipe.plan), asdict(recipe.preparation), images.digest, chosen.tolist())
