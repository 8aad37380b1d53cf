"""The network of `ct-head-haemorrhage`: a small residual encoder, a top-down path, a pooled map of logits."""

import torch
from monai.networks.blocks.convolutions import Convolution, ResidualUnit
from torch import Tensor, nn

TOP_CELLS = 8
"""The logit of a slice is the mean of this many highest cells of its map: about 1.6 square centimetres."""


class HaemorrhageNetwork(nn.Module):
    """From (n, channels, rows, columns) to maps (n, labels, rows / 4, columns / 4) and an embedding (n, widths[-1])."""

    def __init__(self, channels: int, labels: int, widths: tuple[int, int, int, int] = (16, 32, 64, 96)) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.stem = nn.Sequential(
            Convolution(2, channels, first, strides=2, norm="batch", act="relu", bias=False),
            Convolution(2, first, first, norm="batch", act="relu", bias=False),
        )
        self.quarter = _stage(first, second)
        self.eighth = _stage(second, third)
        self.sixteenth = _stage(third, fourth)
        self.drop = nn.Dropout2d(0.15)
        self.from_sixteenth = Convolution(2, fourth, third, kernel_size=1, conv_only=True)
        self.at_eighth = Convolution(2, third, third, norm="batch", act="relu", bias=False)
        self.from_eighth = Convolution(2, third, second, kernel_size=1, conv_only=True)
        self.at_quarter = Convolution(2, second, second, norm="batch", act="relu", bias=False)
        self.map = nn.Conv2d(second, labels, kernel_size=1)
        nn.init.constant_(self.map.get_parameter("bias"), -3.0)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        quarter = self.quarter(self.stem(image))
        eighth = self.eighth(quarter)
        sixteenth = self.drop(self.sixteenth(eighth))
        at_eighth = self.at_eighth(eighth + _twice(self.from_sixteenth(sixteenth)))
        at_quarter = self.at_quarter(quarter + _twice(self.from_eighth(at_eighth)))
        return self.map(at_quarter), sixteenth.mean(dim=(2, 3))


def pooled(maps: Tensor) -> Tensor:
    """Return the logit of each map (n, labels, rows, columns) as (n, labels): the mean of its highest cells."""
    return torch.topk(maps.flatten(2), TOP_CELLS, dim=2).values.mean(dim=2)


def _stage(channels: int, wider: int) -> nn.Module:
    return ResidualUnit(2, channels, wider, strides=2, subunits=2, norm="batch", act="relu", bias=False)


def _twice(maps: Tensor) -> Tensor:
    return nn.functional.interpolate(maps, scale_factor=2.0, mode="nearest")
