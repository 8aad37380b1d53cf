"""From the networks of the folds to one that is served: averaged answers, an embedding, and a gauge of novelty."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.training.gauge import EMBEDDING_SIZE, Gauge, gauged_features
from models.training.planar_network import PlanarNetwork
from models.training.transfer_network import share_published


class ServingLesions(nn.Module):
    """Several networks as one.

    Outputs "logits" (n, 1) and "map" (n, rows / stride, columns / stride), averages over the members, "embedding"
    (n, 32), principal coordinates of the first member's features, "novelty" (n, 1), the members' mean, and what each
    member says, "member_logits" (n, members) and "member_maps" (n, members, rows / stride, columns / stride).
    """

    def __init__(self, members: Sequence[PlanarNetwork], gauges: Sequence[Gauge]) -> None:
        super().__init__()
        share_published(members)
        self.members, self.gauges = nn.ModuleList(members), nn.ModuleList(gauges)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        answers = [member(image) for member in self.members]
        gauged = [
            gauge(gauged_features(image, embedding))
            for gauge, (_, _, embedding) in zip(self.gauges, answers, strict=True)
        ]
        logits = torch.cat([one[0][:, :1] for one in answers], dim=1)
        maps = torch.cat([one[1] for one in answers], dim=1)
        novelty = torch.stack([one for one, _ in gauged]).mean(dim=0)
        embedding = gauged[0][1][:, :EMBEDDING_SIZE]
        return logits.mean(dim=1, keepdim=True), maps.mean(dim=1), embedding, novelty[:, None], logits, maps
