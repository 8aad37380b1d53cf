"""Fitting one planar network to some images, and asking it about others."""

import copy
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np
import torch
from monai.losses.dice import DiceLoss
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training.kept import Fitted
from models.training.lesion_augmentation import Variation, varied
from models.training.lesion_images import ImageSet
from models.training.linear_look import learn
from models.training.planar_network import PlanarNetwork, PlanarPlan, network_of
from models.training.progress import Watcher
from models.training.transfer_network import TransferNetwork
from models.triage_spec import Preparation

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FitPlan:
    """How a network is fitted.

    Of the images of an epoch `positive_share` have the first label; `label_weights` weigh the losses of the labels and
    `mask_weight` that of the map against the mask. With `dice_of_each` the overlap is that of each image by itself, so
    that a small lesion counts as much as a large one; otherwise that of the whole batch.
    """

    network: PlanarPlan
    epochs: int
    images_per_epoch: int
    label_weights: tuple[float, ...]
    mask_weight: float
    variation: Variation = field(default_factory=Variation)
    positive_share: float = 0.5
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.03
    average_decay: float = 0.99
    smoothing: float = 0.03
    seed: int = 20
    dice_of_each: bool = False


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a network says about images: logits (n, labels), maps of logits (n, h, w), embeddings (n, d)."""

    logits: NDArray[np.float32]
    maps: NDArray[np.float16]
    embeddings: NDArray[np.float32]


def fit(
    images: ImageSet,
    chosen: NDArray[np.int64],
    preparation: Preparation,
    plan: FitPlan,
    device: str,
    watch: Watcher,
) -> Fitted[PlanarNetwork]:
    """Return a network fitted to the images whose indices are `chosen`."""
    torch.manual_seed(plan.seed)
    random, torch_random = np.random.default_rng(plan.seed), torch.Generator().manual_seed(plan.seed)
    network = network_of(plan.network).to(device)
    average = copy.deepcopy(network)
    fitted = [one for one in network.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(fitted, lr=plan.learning_rate, weight_decay=plan.weight_decay)
    steps = plan.epochs * max(1, plan.images_per_epoch // plan.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.learning_rate, total_steps=steps, pct_start=0.15)
    losses: list[float] = []
    for epoch in range(plan.epochs):
        network.train()
        total = []
        for indices in _epoch(images, chosen, plan, random):
            planes, lesion = varied(*batch_of(images, indices, preparation), plan.variation, torch_random)
            image = network_input(planes, preparation).to(device=device, memory_format=torch.channels_last)
            with _mixed(device):
                value = _loss(network(image), images, indices, lesion.to(device), plan)
            optimiser.zero_grad()
            torch.autograd.backward(value)
            nn.utils.clip_grad_norm_(fitted, 5.0)
            optimiser.step()
            schedule.step()
            _follow(average, network, min(plan.average_decay, 1 - 1 / (2 + epoch)))
            total.append(float(value.detach()))
        losses.append(round(float(np.mean(total)), 4))
        watch(epoch + 1, plan.epochs, losses[-1])
    if isinstance(average, TransferNetwork):
        known = chosen[~np.isnan(images.targets[chosen, 0])]
        seen = network_input(batch_of(images, known, preparation)[0], preparation).to(device)
        learn(average, seen, images.targets[known, 0] == 1, plan.seed)
    return Fitted(average.eval(), tuple(losses))


def predict(
    network: PlanarNetwork,
    images: ImageSet,
    chosen: NDArray[np.int64],
    preparation: Preparation,
    device: str,
) -> Predicted:
    """Return what `network` says about the images whose indices are `chosen`."""
    logits, maps, embeddings = [], [], []
    network.eval().to(device)
    with torch.inference_mode():
        for start in range(0, len(chosen), 64):
            planes, _ = batch_of(images, chosen[start : start + 64], preparation)
            image = network_input(planes, preparation).to(device=device, memory_format=torch.channels_last)
            found = network(image)
            logits.append(found[0].float().cpu().numpy())
            maps.append(found[1][:, 0].half().cpu().numpy())
            embeddings.append(found[2].float().cpu().numpy())
    return Predicted(np.concatenate(logits), np.concatenate(maps), np.concatenate(embeddings))


def network_input(planes: Tensor, preparation: Preparation) -> Tensor:
    """Return the tensor that `inference.preprocess.stack_channels` gives, from planes between 0 and 1."""
    low, high = preparation.value_range
    return (planes * (high - low) + low - preparation.centre) / preparation.scale


def batch_of(images: ImageSet, indices: NDArray[np.int64], preparation: Preparation) -> tuple[Tensor, Tensor]:
    """Return the channels (n, channels, rows, columns) and the lesion (n, 1, rows, columns) of some images, 0 to 1."""
    source = {"this": indices, "previous": images.before[indices], "next": images.after[indices]}
    planes = np.stack([images.planes[source[name]] for name in preparation.channels], axis=1)
    lesion = images.lesion[indices][:, np.newaxis]
    return torch.from_numpy(planes.astype(np.float32)), torch.from_numpy(lesion.astype(np.float32) / 255)


def _epoch(
    images: ImageSet, chosen: NDArray[np.int64], plan: FitPlan, random: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    first = images.targets[chosen, 0]
    positive, others = chosen[first == 1], chosen[first != 1]
    wanted = round(plan.images_per_epoch * plan.positive_share)
    picked = np.concatenate([_draw(positive, wanted, random), _draw(others, plan.images_per_epoch - wanted, random)])
    picked = random.permutation(picked)
    for start in range(0, max(1, len(picked) - plan.batch_size + 1), plan.batch_size):
        yield picked[start : start + plan.batch_size]


def _draw(which: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return `count` of `which`, each as often as any other but for one."""
    if not len(which):
        return which
    rounds = [random.permutation(which) for _ in range(-(-count // len(which)))]
    return np.concatenate([*rounds, which[:0]])[:count]


def _loss(
    answer: tuple[Tensor, Tensor, Tensor], images: ImageSet, indices: NDArray[np.int64], lesion: Tensor, plan: FitPlan
) -> Tensor:
    logits, maps, _ = answer
    targets = torch.from_numpy(images.targets[indices]).to(logits.device)
    known = ~targets.isnan()
    wanted = targets.nan_to_num() * (1 - 2 * plan.smoothing) + plan.smoothing
    each = functional.binary_cross_entropy_with_logits(logits.float(), wanted, reduction="none") * known
    weights = torch.tensor(plan.label_weights, device=logits.device)
    value = (each.sum(dim=0) / known.sum(dim=0).clamp(min=1) * weights).sum()
    masked = torch.from_numpy(images.lesion_known[indices]).to(logits.device)
    if plan.mask_weight and masked.any():
        value = value + plan.mask_weight * _mask_loss(maps[masked].float(), lesion[masked], plan)
    return value


def _mask_loss(maps: Tensor, lesion: Tensor, plan: FitPlan) -> Tensor:
    target = functional.adaptive_avg_pool2d(lesion, (maps.shape[2], maps.shape[3]))
    cells = functional.binary_cross_entropy_with_logits(maps, target)
    overlap: Tensor = DiceLoss(sigmoid=True, batch=not plan.dice_of_each, smooth_nr=1.0, smooth_dr=1.0)(maps, target)
    return overlap + 2 * cells


def _mixed(device: str) -> AbstractContextManager[object]:
    return torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda")


def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the averaged weights, and the batch norm statistics with them, towards the network's."""
    with torch.no_grad():
        for old, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if old.dtype.is_floating_point:
                old.lerp_(new, 1 - decay)
            else:
                old.copy_(new)
