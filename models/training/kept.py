"""Networks that were fitted before, so that a run that was stopped goes on where it was."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import nn

log = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Fitted(Generic[Network]):
    """A network with averaged weights, and the mean loss of every epoch."""

    network: Network
    losses: tuple[float, ...]


def fitted_or_kept(path: Path, key: str, empty: Network, fit_now: Callable[[], Fitted[Network]]) -> Fitted[Network]:
    """Return what lies in `path` under the same `key`, or a new fit.

    A new fit is written to `path` whole. `empty` is a network of the same shape, to be filled with the kept weights.
    """
    if path.is_file():
        found = torch.load(path, weights_only=True)
        if found["key"] == key:
            log.info("%s: fitted before, taken as it is", path.name)
            empty.load_state_dict(found["weights"])
            return Fitted(empty.eval(), tuple(found["losses"]))
    fitted = fit_now()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    weights = {name: value.cpu() for name, value in fitted.network.state_dict().items()}
    torch.save({"key": key, "weights": weights, "losses": list(fitted.losses)}, unfinished)
    unfinished.replace(path)
    return fitted


def key_of(*parts: object) -> str:
    """Return what a kept network depends on, as a SHA-256: anything with a faithful `repr`."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()
