"""Random changes of whole batches: geometry, scanner (dose, kernel, calibration) and slice spacing."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from models.triage_spec import Preparation


@dataclass(frozen=True, slots=True)
class Batch:
    """Slices with their neighbours before scaling.

    `planes` has shape (n, 3, rows, columns): this, previous and next slice in HU; `inside` and `lesion` (n, 1, rows,
    columns) are 0 or 1; `lesion_known` (n,) says whether the lesion's cells are known; `labels` (n, labels).
    """

    planes: Tensor
    inside: Tensor
    lesion: Tensor
    lesion_known: Tensor
    labels: Tensor


def augmented(batch: Batch, window: tuple[float, float], random: Generator) -> Batch:
    """Return `batch` as another scanner, another head position and another dose might have given it."""
    planes, inside, lesion = _moved(batch, window[0], random)
    planes = _other_neighbours(planes, random)
    planes = _other_scanner(planes, random).clamp(*window)
    return Batch(planes, inside, lesion, batch.lesion_known, batch.labels)


def network_input(planes: Tensor, inside: Tensor, preparation: Preparation) -> Tensor:
    """Return the channels that `inference.preprocess.stack_channels` gives, from a batch of planes."""
    scaled = (planes - preparation.centre) / preparation.scale
    channel = {
        "this": scaled[:, 0],
        "previous": scaled[:, 1],
        "next": scaled[:, 2],
        "mirrored": scaled[:, 0].flip(-1),
        "inside": inside[:, 0],
    }
    return torch.stack([channel[name] for name in preparation.channels], dim=1)


def _moved(batch: Batch, outside: float, random: Generator) -> tuple[Tensor, Tensor, Tensor]:
    n = len(batch.planes)
    angle = _between(n, -0.22, 0.22, random)
    scale_rows, scale_columns = _between(n, 0.86, 1.16, random), _between(n, 0.95, 1.05, random)
    flip = torch.where(torch.rand(n, generator=random) < 0.5, -1.0, 1.0)
    shear = _between(n, -0.06, 0.06, random)
    along = scale_rows * scale_columns * flip
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = angle.cos() * along, (shear - angle.sin()) * scale_rows
    matrix[:, 1, 0], matrix[:, 1, 1] = angle.sin() * along, angle.cos() * scale_rows
    matrix[:, :, 2] = torch.stack([_between(n, -0.1, 0.1, random), _between(n, -0.1, 0.1, random)], dim=1)
    everything = torch.cat([batch.planes - outside, batch.inside, batch.lesion], dim=1)
    grid = functional.affine_grid(matrix, list(everything.shape), align_corners=False)
    moved = functional.grid_sample(everything, grid, align_corners=False)
    return moved[:, :3] + outside, moved[:, 3:4], moved[:, 4:5]


def _other_neighbours(planes: Tensor, random: Generator) -> Tensor:
    """Sometimes exchange previous and next, or put the slice itself in the place of one: another slice spacing."""
    this, previous, following = planes.unbind(dim=1)
    draw = torch.rand(len(planes), generator=random)[:, None, None]
    exchanged = draw < 0.3
    first, second = torch.where(exchanged, following, previous), torch.where(exchanged, previous, following)
    first = torch.where((draw > 0.85) & (draw < 0.925), this, first)
    second = torch.where(draw >= 0.925, this, second)
    return torch.stack([this, first, second], dim=1)


def _other_scanner(planes: Tensor, random: Generator) -> Tensor:
    """Change the reconstruction kernel of half of the slices, the dose of half, and the calibration of all."""
    n = len(planes)
    planes = planes.clone()
    for changed, low, high in ((0.3, 0.3, 1.0), (0.2, -0.8, -0.2)):
        some = torch.rand(n, generator=random) < changed
        blend = _between(int(some.sum()), low, high, random)[:, None, None, None]
        planes[some] += blend * (_softened(planes[some]) - planes[some])
    for soften in (False, True):
        some = torch.rand(n, generator=random) < 0.25
        noise = torch.randn(planes[some].shape, generator=random)
        noise = 3.0 * _softened(noise) if soften else noise
        planes[some] += noise * _between(int(some.sum()), 0.0, 7.0, random)[:, None, None, None]
    contrast, shift = _between(n, 0.88, 1.12, random), _between(n, -4.0, 4.0, random)
    return (planes - 35.0) * contrast[:, None, None, None] + 35.0 + shift[:, None, None, None]


def _softened(planes: Tensor) -> Tensor:
    """Return `planes` after two 3x3 means: a smooth reconstruction kernel, sigma about 1.2 cells."""
    once = functional.avg_pool2d(planes, 3, stride=1, padding=1, count_include_pad=False)
    return functional.avg_pool2d(once, 3, stride=1, padding=1, count_include_pad=False)


def _between(n: int, low: float, high: float, random: Generator) -> Tensor:
    return torch.rand(n, generator=random) * (high - low) + low
