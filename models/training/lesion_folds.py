"""Cross-validation of a planar recipe: one network per fold of the patients, each kept as soon as it is fitted."""

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.kept import Fitted, fitted_or_kept, key_of
from models.training.lesion_fit import Predicted, fit, predict
from models.training.lesion_images import ImageSet, read_image_set
from models.training.lesion_network import LesionNetwork
from models.training.lesion_recipe import Recipe
from models.training.progress import WatcherOf
from triage.errors import InvalidDataset


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """One network per fold, and for every image what the network that did not see its patient says about it.

    `folds` (n,) counts from 0; `logits` (n, labels), `maps` (n, h, w), `embeddings` (n, d) belong to the images.
    """

    folds: NDArray[np.int64]
    members: tuple[Fitted[LesionNetwork], ...]
    unseen: Predicted


def cross_validate(
    recipe: Recipe,
    images: ImageSet,
    kept: Path,
    device: str,
    watcher_of: WatcherOf,
    start: LesionNetwork | None = None,
) -> CrossValidated:
    """Fit one network per fold and score what it did not see; folds that lie fitted in `kept` are taken from there.

    Args:
        recipe: what to fit.
        images: the data set, prepared.
        kept: folder for the networks; a network is used again only with the same recipe, data and start.
        device: "cpu" or "cuda".
        watcher_of: who is told about the progress of each fold.
        start: a pretrained network.
    """
    folds = folds_of(recipe, images)
    members = []
    for fold in range(recipe.folds):
        seen, watch = np.flatnonzero(folds != fold), watcher_of(f"fold {fold + 1} of {recipe.folds}")
        fit_now = partial(fit, images, seen, recipe.preparation, recipe.plan, device, watch, start)
        key, empty = _key(recipe, images, seen, start), LesionNetwork(recipe.plan.network)
        members.append(fitted_or_kept(kept / f"fold-{fold + 1}.pt", key, empty, fit_now))
    return CrossValidated(folds, tuple(members), _unseen(recipe, images, folds, members, device))


def pretrained(
    recipe: Recipe, folder: Path | None, kept: Path, device: str, watcher_of: WatcherOf
) -> Fitted[LesionNetwork] | None:
    """Return a network fitted to the recipe's other data set, None where the recipe or the caller names none.

    Raises:
        InvalidDataset: the data set cannot be read.
    """
    other = recipe.pretraining
    if other is None or folder is None:
        return None
    images = read_image_set(folder, recipe.preparation, other.targets)
    everything = np.arange(len(images))
    plan = replace(recipe.plan, epochs=other.epochs, images_per_epoch=other.images_per_epoch)
    fit_now = partial(fit, images, everything, recipe.preparation, plan, device, watcher_of("pretraining"))
    key, empty = _key(recipe, images, everything, None), LesionNetwork(recipe.plan.network)
    return fitted_or_kept(kept / "pretrained.pt", key, empty, fit_now)


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
    recipe: Recipe, images: ImageSet, folds: NDArray[np.int64], members: list[Fitted[LesionNetwork]], device: str
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


def _key(recipe: Recipe, images: ImageSet, chosen: NDArray[np.int64], start: LesionNetwork | None) -> str:
    return key_of(asdict(recipe.plan), asdict(recipe.preparation), images.digest, chosen.tolist(), start=start)
