"""A network for few images: stages fitted to photographs, a last one fitted to the set, a linear look beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.efficientnet_lite import CHANNELS, lite_stage, lite_stem, load_published

STRIDE = 16
COARSE = 2
"""How many cells of the map one cell of the linear look covers each way."""


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """The shape of a network for images of `rows` by `rows` cells; the first of `labels` is what it answers."""

    labels: int
    rows: int
    drop: float = 0.3
    stride: int = STRIDE
    answer: Literal["transfer"] = "transfer"


class TransferNetwork(nn.Module):
    """From (n, 1, rows, rows) to logits (n, labels), map (n, 1, rows / 16, rows / 16) and embedding
    (n, embedding_size).

    The first three stages stay as they were published. From them, the fourth is fitted to the set and answers with the
    mean of a map for each label; beside it `look` weighs the fourth stage as it was published, cell by cell. The first
    logit is the mean of both, and of the map. While fitting only the fitted stage answers.
    """

    def __init__(self, plan: TransferPlan) -> None:
        super().__init__()
        self.plan = plan
        self.early = Published(lite_stem(), lite_stage(1), lite_stage(2), lite_stage(3))
        self.late, self.fitted = Published(lite_stage(4)), lite_stage(4)
        load_published(nn.Sequential(*self.early, *self.late))
        self.fitted.load_state_dict(self.late[0].state_dict())
        self.drop, self.map = nn.Dropout(plan.drop), nn.Conv2d(CHANNELS[-1], plan.labels, 1)
        self.embedding_size = 3 * CHANNELS[-1]
        self.look = LinearLook(CHANNELS[-1], plan.rows // (STRIDE * COARSE))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        early = self.early(image)
        late, fitted = self.late(early), self.fitted(early)
        maps = self.map(self.drop(fitted))
        first = maps[:, :1]
        if not self.training:
            looked = self.look(functional.avg_pool2d(late, COARSE))
            first = (first + functional.interpolate(looked, scale_factor=float(COARSE), mode="nearest")) / 2
        logits = torch.cat([first, maps[:, 1:]], dim=1).mean(dim=(2, 3))
        embedding = [late.mean(dim=(2, 3)), fitted.mean(dim=(2, 3)), fitted.amax(dim=(2, 3))]
        return logits, first, torch.cat(embedding, dim=1)

    def looked_at(self, image: Tensor) -> Tensor:
        """Return what the linear look weighs (n, features of a cell * cells)."""
        return functional.avg_pool2d(self.late(self.early(image)), COARSE).flatten(1)


class Published(nn.Sequential):
    """Stages that nothing is fitted in: neither weights nor statistics."""

    def __init__(self, *stages: nn.Module) -> None:
        super().__init__(*stages)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Published":  # noqa: ARG002 (torch asks for it)
        return super().train(False)


class LinearLook(nn.Module):
    """From features (n, channels, side, side) to a map (n, 1, side, side), every cell with weights of its own.

    It says 0 until `linear_look.learn` fits it.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(channels, side, side))
        self.register_buffer("bias", torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        weight = self.get_buffer("weight")
        share = (features * weight).sum(dim=1, keepdim=True)
        return share * (weight.shape[1] * weight.shape[2]) + self.get_buffer("bias")


def share_published(members: Sequence[nn.Module]) -> None:
    """Let members hold the stages that are the same in all of them once: a smaller file."""
    transferred = [member for member in members if isinstance(member, TransferNetwork)]
    for member in transferred:
        member.early, member.late = transferred[0].early, transferred[0].late
