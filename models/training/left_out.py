"""How a device or an institution is answered by a network that saw none of it: one fit without each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.figures import Estimate
from models.training.kept import fitted_or_kept
from models.training.lesion_figures import MIN_SUBGROUP, area, dice_scores, mean_dice
from models.training.lesion_fit import fit, predict
from models.training.lesion_folds import CrossValidated, key_of_fit
from models.training.lesion_images import ImageSet
from models.training.lesion_recipe import Recipe
from models.training.planar_network import network_of
from models.training.progress import WatcherOf


@dataclass(frozen=True, slots=True)
class Scored:
    """How well some images were answered; `dice_mean` is None where the set has no outlines."""

    image_auc: Estimate
    dice_mean: Estimate | None


@dataclass(frozen=True, slots=True)
class LeftOutFigure:
    """The images of one value, answered by a network that saw none of its patients (`unseen`, fitted for `epochs`), and
    by the networks of the folds, which saw others of its patients (`seen`, fitted for the whole plan)."""

    column: str
    value: str
    images: int
    positive_images: int
    epochs: int
    unseen: Scored
    seen: Scored


def left_out_figures(
    recipe: Recipe, images: ImageSet, result: CrossValidated, kept: Path, device: str, watcher_of: WatcherOf
) -> tuple[LeftOutFigure, ...]:
    """Return a figure for every value of the recipe's column with enough images of both kinds to say something."""
    how = recipe.leaving_out
    if how is None:
        return ()
    shorter = replace(recipe, plan=replace(recipe.plan, epochs=how.epochs))
    figures = []
    for value, own in _images_of_values(images, how.column):
        name, others = f"without-{_slug(value)}", np.flatnonzero(~np.isin(images.patients, images.patients[own]))
        fit_now = partial(fit, images, others, recipe.preparation, shorter.plan, device, watcher_of(name))
        key, empty = key_of_fit(shorter, images, others), network_of(recipe.plan.network)
        network = fitted_or_kept(kept / f"{name}.pt", key, empty, fit_now).network
        unseen = predict(network, images, own, recipe.preparation, device)
        figures.append(
            LeftOutFigure(
                how.column,
                value,
                len(own),
                int((images.targets[own, 0] == 1).sum()),
                how.epochs,
                unseen=_scored(recipe, images, own, unseen.logits, unseen.maps),
                seen=_scored(recipe, images, own, result.unseen.logits[own], result.unseen.maps[own]),
            )
        )
    return tuple(figures)


def _images_of_values(images: ImageSet, name: str) -> Iterator[tuple[str, NDArray[np.int64]]]:
    column, targets = images.column(name), images.targets[:, 0]
    for value in sorted(set(column) - {""}):
        own = np.flatnonzero((column == value) & ~np.isnan(targets))
        if min((targets[own] == 1).sum(), (targets[own] == 0).sum()) >= MIN_SUBGROUP:
            yield value, own


def _scored(
    recipe: Recipe,
    images: ImageSet,
    own: NDArray[np.int64],
    logits: NDArray[np.float32],
    maps: NDArray[np.float16],
) -> Scored:
    seed, positive = recipe.plan.seed, images.targets[own, 0] == 1
    auc = area(positive, logits[:, 0].astype(np.float64), images.patients[own], seed)
    if not images.lesion_known.any():
        return Scored(auc, None)
    return Scored(auc, mean_dice(*dice_scores(recipe, images, own, maps), seed))


def _slug(value: str) -> str:
    return "-".join("".join(one if one.isalnum() else " " for one in value).lower().split())
