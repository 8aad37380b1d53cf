"""The gate of a model: which images are too unlike its training set, and how well that is told."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import nn

from models.training.figures import Estimate, exact_proportion, rounded
from models.training.gauge import IN_SCOPE_KEPT, Gauge, principal_directions
from models.training.lesion_images import read_grey

SAMPLE = 100
"""So many images of each kind are tried."""

Grey = NDArray[np.float32]
"""A study as 8-bit images show it, shape (images, rows, columns), 0 to 255."""

FeaturesOf = Callable[[nn.Module], Sequence[NDArray[np.float32]]]
"""From a network to what a gauge looks at: for each study, one row of features per image."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Share of studies of one kind that the gate refuses; a still is a study of its own."""

    kind: str
    studies: int
    share: Estimate


@dataclass(frozen=True, slots=True)
class GateFigures:
    """The limit, the share of unseen in-scope studies wrongly refused, and of each other kind rightly refused."""

    limit: float
    in_scope: Refused
    others: tuple[Refused, ...]


def fit_gauges(
    networks: Sequence[nn.Module],
    folds: NDArray[np.int64],
    features_of: FeaturesOf,
    also_known: FeaturesOf | None = None,
    margin: float = 1.0,
) -> tuple[list[Gauge], float, Refused]:
    """Return a gauge per network, the limit that they share, and the share of unseen studies beyond it.

    A study is judged as in service: by the median over its images.

    Args:
        networks: one per fold.
        folds: of each study, from 0; network k has not seen the studies of fold k.
        features_of: of those studies.
        also_known: of further studies that no figure is about and that the gate shall let through, like phantoms.
        margin: factor by which the limit is wider than the share asks for; few studies tell their extremes badly.
    """
    gauges, unseen = [], np.zeros(len(folds))
    for fold, network in enumerate(networks):
        features = features_of(network)
        known = [one for one, own in zip(features, folds, strict=True) if own != fold]
        known.extend(also_known(network) if also_known else ())
        gauge = Gauge(principal_directions(np.concatenate(known))).eval()
        own = np.flatnonzero(folds == fold)
        distances = [_distances(gauge, features[int(study)]) for study in own]
        gauge.call_usual(np.concatenate(distances))
        unseen[own] = [np.median(one) / float(gauge.get_buffer("usual")) for one in distances]
        gauges.append(gauge)
    limit = rounded(float(np.quantile(unseen, IN_SCOPE_KEPT)) * margin)
    return gauges, limit, _share("in scope, unseen", unseen, limit)


def other_kinds(
    own: Sequence[Grey], novelty_of: Callable[[Grey], float], limit: float, others: Sequence[Path], seed: int
) -> tuple[Refused, ...]:
    """Return how many studies of other kinds are refused: own ones changed, test patterns, and other data sets.

    Args:
        own: studies of the training set.
        novelty_of: what the whole model says about a study.
        limit: beyond it a study is refused.
        others: data sets of other kinds; of each, single images are tried.
        seed: of what is drawn.
    """
    random = np.random.default_rng(seed)
    kinds: dict[str, list[Grey]] = {
        "upside down": [one[:, ::-1] for one in own],
        "turned by 90 degrees": [np.rot90(one, axes=(1, 2)) for one in own],
        "inverted": [255 - one for one in own],
        "noise": [random.integers(0, 256, one.shape).astype(np.float32) for one in own[:20]],
        "test patterns": [one[np.newaxis] for one in _patterns(random)],
    }
    for folder in others:
        files = sorted((folder / "images").iterdir())
        chosen = random.permutation(len(files))[:SAMPLE]
        kinds[f"images of {folder.name}"] = [read_grey(files[index])[np.newaxis] for index in chosen]
    return tuple(
        _share(name, np.array([novelty_of(np.ascontiguousarray(one)) for one in found]), limit)
        for name, found in kinds.items()
    )


def _share(kind: str, novelties: NDArray[np.float64], limit: float) -> Refused:
    return Refused(kind, len(novelties), exact_proportion(int((novelties > limit).sum()), len(novelties)))


def _distances(gauge: Gauge, features: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        return np.asarray(gauge(torch.from_numpy(features))[0].numpy())


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
