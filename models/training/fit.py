"""Fitting one network to some studies, reproducibly."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inference.preprocess import stack_channels
from models.training.augmentation import Batch, augmented, network_input
from models.training.head_ct_dataset import LABELS, LabelledStudy
from models.training.kept import Fitted
from models.training.network import HaemorrhageNetwork, pooled
from models.training.progress import Watcher
from models.training.synthetic_bleeds import PaintedStudy, TrainingSlice, depth_inside, paint
from models.triage_spec import Preparation


@dataclass(frozen=True, slots=True)
class FitPlan:
    """How a network is fitted.

    Of `slices_per_epoch` a quarter are real slices with a bleed, a quarter painted ones, half slices without.
    """

    epochs: int = 36
    slices_per_epoch: int = 640
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.03
    average_decay: float = 0.995
    widths: tuple[int, int, int, int] = (16, 32, 64, 96)
    seed: int = 20


def fit(
    studies: Sequence[LabelledStudy],
    preparation: Preparation,
    plan: FitPlan,
    device: str,
    watch: Watcher,
) -> Fitted[HaemorrhageNetwork]:
    """Return a network fitted to `studies`; the same seed, studies and machine give the same network."""
    torch.manual_seed(plan.seed)
    random, torch_random = np.random.default_rng(plan.seed), torch.Generator().manual_seed(plan.seed)
    network = HaemorrhageNetwork(len(preparation.channels), len(LABELS), plan.widths)
    network.to(device)
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    steps = plan.epochs * max(1, plan.slices_per_epoch // plan.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.learning_rate, total_steps=steps, pct_start=0.15)
    depths = {study.patient: depth_inside(study) for study in studies if not study.positive}
    losses = []
    for epoch in range(plan.epochs):
        network.train()
        total = []
        for batch in _epoch(studies, depths, plan, random):
            changed = augmented(batch, preparation.window, torch_random)
            image = network_input(changed.planes, changed.inside, preparation)
            image = image.to(device=device, memory_format=torch.channels_last)
            value = loss(network(image)[0], changed, device)
            optimiser.zero_grad()
            torch.autograd.backward(value)
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            _follow(average, network, min(plan.average_decay, 1 - 1 / (2 + epoch)))
            total.append(float(value.detach()))
        losses.append(round(float(np.mean(total)), 4))
        watch(epoch + 1, plan.epochs, losses[-1])
    return Fitted(average.eval(), tuple(losses))


def loss(maps: Tensor, batch: Batch, device: str) -> Tensor:
    """Return the loss: bleed per slice, subtype per slice, and the cells of the bleed where they are known."""
    labels = batch.labels.to(device) * 0.96 + 0.02
    slice_loss = functional.binary_cross_entropy_with_logits(pooled(maps), labels, reduction="none")
    target = functional.adaptive_avg_pool2d(batch.lesion.to(device), (maps.shape[2], maps.shape[3]))
    cells = functional.binary_cross_entropy_with_logits(
        maps[:, :1], target, reduction="none", pos_weight=torch.tensor(4.0, device=device)
    )
    known = batch.lesion_known.to(device)
    cell_loss = (cells.mean(dim=(1, 2, 3)) * known).sum() / known.sum().clamp(min=1)
    return slice_loss[:, 0].mean() + 0.3 * slice_loss[:, 1:].mean() + 3.0 * cell_loss


def slice_logits(
    network: HaemorrhageNetwork, study: LabelledStudy, preparation: Preparation, device: str = "cpu"
) -> NDArray[np.float32]:
    """Return the logits (slices, labels) of one study."""
    tensor = torch.from_numpy(stack_channels(study.planes, study.inside, 1, preparation)).to(device)
    with torch.inference_mode():
        return pooled(network(tensor.contiguous(memory_format=torch.channels_last))[0]).cpu().numpy()


def _epoch(
    studies: Sequence[LabelledStudy],
    depths: dict[str, NDArray[np.float32]],
    plan: FitPlan,
    random: Generator,
) -> list[Batch]:
    """Return the batches of an epoch, in the shares that `FitPlan` describes."""
    painted = [_perhaps_painted(study, depths, random) for study in studies]
    where = [(s, i) for s, one in enumerate(painted) for i in range(len(one.study.planes))]
    bleeds = np.array([painted[s].study.labels[i, 0] > 0 for s, i in where])
    doubtful = np.array([painted[s].doubtful[i] for s, i in where])
    real = np.array([studies[s].positive for s, _ in where])
    quarter = plan.slices_per_epoch // 4
    shares = ((bleeds & real, quarter), (bleeds & ~real, quarter), (~bleeds & ~doubtful, 2 * quarter))
    chosen = random.permutation([one for which, count in shares for one in _draw(which, count, random)])
    picks = [painted[where[k][0]].at(where[k][1]) for k in chosen]
    return [
        _batch(picks[start : start + plan.batch_size])
        for start in range(0, max(1, len(picks) - plan.batch_size + 1), plan.batch_size)
    ]


def _perhaps_painted(study: LabelledStudy, depths: dict[str, NDArray[np.float32]], random: Generator) -> PaintedStudy:
    if study.patient not in depths:
        return _unpainted(study)
    return paint(study, depths[study.patient], random, bleeds=int(random.choice(3, p=(0.4, 0.4, 0.2))))


def _unpainted(study: LabelledStudy) -> PaintedStudy:
    return PaintedStudy(
        study,
        np.zeros(study.planes.shape, dtype=np.float32),
        cells_known=not study.positive,
        doubtful=np.zeros(len(study.planes), dtype=bool),
    )


def _draw(which: NDArray[np.bool_], count: int, random: Generator) -> list[int]:
    possible = np.flatnonzero(which)
    if not len(possible):
        return []
    return [int(one) for one in random.choice(possible, count, replace=len(possible) < count)]


def _batch(picks: list[TrainingSlice]) -> Batch:
    return Batch(
        planes=torch.from_numpy(np.stack([one.planes for one in picks])),
        inside=torch.from_numpy(np.stack([one.inside for one in picks])),
        lesion=torch.from_numpy(np.stack([one.lesion for one in picks])),
        lesion_known=torch.tensor([float(one.lesion_known) for one in picks]),
        labels=torch.from_numpy(np.stack([one.labels for one in picks])),
    )


def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the averaged weights, and the batch norm statistics with them, towards the network's."""
    with torch.no_grad():
        for old, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if old.dtype.is_floating_point:
                old.lerp_(new, 1 - decay)
            else:
                old.copy_(new)
