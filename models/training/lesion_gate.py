"""The gate of a planar model: which images are too unlike its training set, and how well that is told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inference.preprocess import resampled_planes
from inference.volume import Volume
from models.training.figures import Estimate, exact_proportion, rounded
from models.training.lesion_fit import batch_of, network_input
from models.training.lesion_folds import CrossValidated
from models.training.lesion_images import ImageSet, read_grey
from models.training.lesion_network import LesionNetwork
from models.training.lesion_recipe import Recipe
from models.training.lesion_serving import IN_SCOPE_KEPT, Gauge, ServingLesions, gauged_features, principal_directions
from triage.identifiers import SopInstanceUid

SAMPLE = 100
"""So many images of each kind are tried."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Share of images of one kind that the gate refuses."""

    kind: str
    images: int
    share: Estimate


@dataclass(frozen=True, slots=True)
class GateFigures:
    """The limit, the share of unseen in-scope images wrongly refused, and of each other kind rightly refused."""

    limit: float
    in_scope: Refused
    others: tuple[Refused, ...]


def gauges_of(recipe: Recipe, images: ImageSet, result: CrossValidated) -> tuple[list[Gauge], float, Refused]:
    """Return a gauge per member, the common limit, and the share of unseen images beyond it."""
    gauges, unseen = [], np.zeros(len(images), dtype=np.float32)
    for fold, member in enumerate(result.members):
        seen, other = np.flatnonzero(result.folds != fold), np.flatnonzero(result.folds == fold)
        gauge = Gauge(principal_directions(_features(member.network, images, seen, recipe))).eval()
        distances = _distances(gauge, _features(member.network, images, other, recipe))
        gauge.call_usual(distances)
        unseen[other] = distances / np.median(distances)
        gauges.append(gauge)
    limit = rounded(float(np.quantile(unseen, IN_SCOPE_KEPT)))
    return (
        gauges,
        limit,
        Refused("in scope, unseen", len(images), exact_proportion(int((unseen > limit).sum()), len(images))),
    )


def other_kinds(
    recipe: Recipe, images: ImageSet, network: ServingLesions, limit: float, others: Sequence[Path]
) -> tuple[Refused, ...]:
    """Return how many images of other kinds are refused: other data sets, changed own images, and test patterns."""
    random = np.random.default_rng(recipe.plan.seed)
    own = [read_grey(images.files[index]) for index in random.permutation(len(images))[:SAMPLE]]
    kinds: dict[str, list[NDArray[np.float32]]] = {
        "upside down": [one[::-1] for one in own],
        "turned by 90 degrees": [np.rot90(one) for one in own],
        "inverted": [255 - one for one in own],
        "noise": [random.integers(0, 256, one.shape).astype(np.float32) for one in own[:20]],
        "test patterns": list(_patterns(random)),
    }
    for folder in others:
        files = sorted((folder / "images").iterdir())
        chosen = random.permutation(len(files))[:SAMPLE]
        kinds[f"images of {folder.name}"] = [read_grey(files[index]) for index in chosen]
    return tuple(_refused(name, found, recipe, network, limit) for name, found in kinds.items())


def _refused(
    kind: str, pictures: Sequence[NDArray[np.float32]], recipe: Recipe, network: ServingLesions, limit: float
) -> Refused:
    novelties = []
    for picture in pictures:
        volume = Volume(
            np.ascontiguousarray(picture)[np.newaxis], "stored", (None, None, None), (SopInstanceUid("1"),), (None,)
        )
        _, planes, _ = resampled_planes(volume, recipe.preparation)
        scaled = (planes - recipe.preparation.centre) / recipe.preparation.scale
        tensor = torch.from_numpy(np.repeat(scaled[:, np.newaxis], len(recipe.preparation.channels), axis=1))
        with torch.inference_mode():
            novelties.append(float(network(tensor)[3]))
    refused = sum(novelty > limit for novelty in novelties)
    return Refused(kind, len(pictures), exact_proportion(refused, len(pictures)))


def _patterns(random: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    """Draw what monitors and phantoms show: bars, checks, ramps, rings, a disc with holes, a page of words."""
    row, column = np.mgrid[0:400, 0:400].astype(np.float32)
    for size in (8, 20, 50):
        yield 255.0 * ((row // size + column // size) % 2)
        yield 255.0 * (column // size % 2)
    yield column / 400 * 255
    yield row / 400 * 255
    radius = np.hypot(row - 200, column - 200)
    yield 127.5 + 127.5 * np.cos(radius / 6)
    for level in (60.0, 120.0, 200.0):
        disc = np.where(radius < 170, level, 0)
        for hole in range(6):
            angle = hole * np.pi / 3
            disc[np.hypot(row - 200 - 100 * np.sin(angle), column - 200 - 100 * np.cos(angle)) < 6 + 3 * hole] = (
                255 - level
            )
        yield (disc + random.normal(0, 4, disc.shape)).astype(np.float32)
    for ground, ink in ((255, 0), (0, 220)):
        page = Image.new("L", (400, 400), ground)
        pen = ImageDraw.Draw(page)
        for line in range(20, 380, 16):
            pen.text((20, line), "Dose report: CTDIvol 42.1 mGy, DLP 812 mGy*cm, series " + str(line), fill=ink)
        yield np.asarray(page, dtype=np.float32)


def _features(
    network: LesionNetwork, images: ImageSet, chosen: NDArray[np.int64], recipe: Recipe
) -> NDArray[np.float32]:
    found = []
    network.eval().cpu()
    with torch.inference_mode():
        for start in range(0, len(chosen), 64):
            planes, _ = batch_of(images, chosen[start : start + 64], recipe.preparation)
            image = network_input(planes, recipe.preparation)
            found.append(gauged_features(image, network(image)[2]).numpy())
    return np.concatenate(found)


def _distances(gauge: Gauge, features: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        return np.asarray(gauge(torch.from_numpy(features))[0].numpy())
