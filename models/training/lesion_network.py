"""The network of the planar models: a small residual encoder, a top-down path to a map, and a head beside the map."""

from dataclasses import dataclass
from typing import Literal

import torch
from monai.networks.blocks.convolutions import Convolution, ResidualUnit
from torch import Tensor, nn
from torch.nn import functional

Answer = Literal["map", "head"]


@dataclass(frozen=True, slots=True)
class LesionPlan:
    """The shape of a network.

    The logit of an image is, with `answer` "map", the mean of the `top_share` highest cells of the map, so that the map
    shows what the answer rests on; with "head" it comes from features inside the mapped lesion, around it and overall:
    for a question about a lesion that every image shows. Further labels come from the head in both cases.
    `stride` is how many cells of the grid one cell of the map covers each way: 2, 4 or 8. With `context` a further
    stage, at a 32nd of the grid, sees the whole image, to tell which of several dark places is the lesion.
    """

    channels: int
    labels: int
    answer: Answer
    stride: int = 2
    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    top_share: float = 0.002
    drop: float = 0.2
    context: bool = False


class LesionNetwork(nn.Module):
    """From (n, channels, rows, columns) to logits (n, labels), map (n, 1, rows / stride, columns / stride) and
    embedding (n, 2 * widths[-1] + 2 * widths[-2])."""

    def __init__(self, plan: LesionPlan) -> None:
        super().__init__()
        self.plan = plan
        first, second, third, fourth = plan.widths
        self.stem = _convolution(plan.channels, first, stride=2)
        self.quarter, self.eighth = _stage(first, second), _stage(second, third)
        self.sixteenth = _stage(third, fourth)
        if plan.context:
            self.thirty_second, self.to_sixteenth = _stage(fourth, third), nn.Conv2d(third, fourth, 1)
        self.bottom = nn.Sequential(_convolution(fourth, fourth), nn.Dropout2d(plan.drop / 2))
        self.to_eighth, self.at_eighth = nn.Conv2d(fourth, third, 1), _convolution(third, third)
        if plan.stride <= 4:
            self.to_quarter, self.at_quarter = nn.Conv2d(third, second, 1), _convolution(second, second)
        if plan.stride == 2:
            self.to_half, self.at_half = nn.Conv2d(second, first, 1), _convolution(first, first)
        self.embedding_size = 2 * (third + fourth)
        self.map = nn.Conv2d({2: first, 4: second, 8: third}[plan.stride], 1, 1)
        nn.init.constant_(self.map.get_parameter("bias"), -3.0)
        self.head = nn.Sequential(
            nn.BatchNorm1d(self.embedding_size + SHAPES),
            nn.Dropout(plan.drop),
            nn.Linear(self.embedding_size + SHAPES, 48),
            nn.ReLU(),
            nn.Dropout(plan.drop),
            nn.Linear(48, plan.labels),
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        half = self.stem(image)
        quarter = self.quarter(half)
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        if self.plan.context:
            sixteenth = sixteenth + _twice(self.to_sixteenth(self.thirty_second(sixteenth)))
        sixteenth = self.bottom(sixteenth)
        finest = coarse = self.at_eighth(eighth + _twice(self.to_eighth(sixteenth)))
        if self.plan.stride <= 4:
            finest = self.at_quarter(quarter + _twice(self.to_quarter(coarse)))
        if self.plan.stride == 2:
            finest = self.at_half(half + _twice(self.to_half(finest)))
        maps = self.map(finest)
        seen = maps.detach().sigmoid()
        embedding = torch.cat([_inside_and_overall(coarse, seen), _around_and_peak(sixteenth, seen)], dim=1)
        logits = self.head(torch.cat([embedding, shape_of(seen)], dim=1))
        if self.plan.answer == "map":
            logits = torch.cat([self._highest(maps), logits[:, 1:]], dim=1)
        return logits, maps, embedding

    def _highest(self, maps: Tensor) -> Tensor:
        cells = max(1, round(self.plan.top_share * maps.shape[2] * maps.shape[3]))
        return torch.topk(maps.flatten(1), cells, dim=1).values.mean(dim=1, keepdim=True)


SHAPES = 8
"""How many numbers `shape_of` gives."""


def shape_of(seen: Tensor) -> Tensor:
    """Return the form of the lesion (n, 8) from its map of probabilities (n, 1, rows, columns).

    Share of the image, height and width (standard deviations along rows and columns, of the image's side), their log
    ratio (a lesion taller than wide is suspicious, ACR BI-RADS), compactness of the border, mean certainty, place.
    """
    total = seen.sum(dim=(2, 3)) + 1e-3
    rows = torch.linspace(-1, 1, seen.shape[2], device=seen.device)[:, None]
    columns = torch.linspace(-1, 1, seen.shape[3], device=seen.device)[None, :]
    row = (seen * rows).sum(dim=(2, 3)) / total
    column = (seen * columns).sum(dim=(2, 3)) / total
    tall = (((seen * (rows - row[..., None, None]) ** 2).sum(dim=(2, 3)) / total) + 1e-4).sqrt()
    wide = (((seen * (columns - column[..., None, None]) ** 2).sum(dim=(2, 3)) / total) + 1e-4).sqrt()
    border = (seen[:, :, 1:] - seen[:, :, :-1]).abs().sum(dim=(2, 3))
    border = border + (seen[:, :, :, 1:] - seen[:, :, :, :-1]).abs().sum(dim=(2, 3))
    share = total / (seen.shape[2] * seen.shape[3])
    certain = (seen * seen).sum(dim=(2, 3)) / total
    return torch.cat([share, tall, wide, (tall / wide).log(), border / total.sqrt(), certain, row, column], dim=1)


def _inside_and_overall(features: Tensor, seen: Tensor) -> Tensor:
    weight = functional.adaptive_avg_pool2d(seen, (features.shape[2], features.shape[3]))
    inside = (features * weight).sum(dim=(2, 3)) / (weight.sum(dim=(2, 3)) + 1e-2)
    return torch.cat([inside, features.mean(dim=(2, 3))], dim=1)


def _around_and_peak(features: Tensor, seen: Tensor) -> Tensor:
    weight = functional.adaptive_avg_pool2d(seen, (features.shape[2], features.shape[3]))
    wider = functional.max_pool2d(weight, 3, stride=1, padding=1)
    around = (features * wider).sum(dim=(2, 3)) / (wider.sum(dim=(2, 3)) + 1e-2)
    return torch.cat([around, features.mean(dim=(2, 3))], dim=1)


def _convolution(channels: int, wider: int, stride: int = 1) -> nn.Module:
    return Convolution(2, channels, wider, strides=stride, norm="batch", act=("relu", {"inplace": True}), bias=False)


def _stage(channels: int, wider: int) -> nn.Module:
    return ResidualUnit(
        2, channels, wider, strides=2, subunits=2, norm="batch", act=("relu", {"inplace": True}), bias=False
    )


def _twice(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2.0, mode="nearest")
