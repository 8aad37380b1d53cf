"""What runs a network, whichever engine it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Outputs = Mapping[str, NDArray[np.float32]]
"""The outputs of a network by name; the first axis of each counts the images of the input."""


class ProviderPolicy(StrEnum):
    """Which device may run a model: only the CPU; a GPU where there is one, else the CPU; a GPU or nothing."""

    CPU_ONLY = "cpu_only"
    ALLOW_CPU = "allow_cpu"
    REQUIRE_GPU = "require_gpu"


@dataclass(frozen=True, slots=True)
class TensorContract:
    """What a network takes and gives: images of (channels, rows, columns) under one name, and named outputs."""

    input_name: str
    channels: int
    rows: int
    columns: int
    output_names: tuple[str, ...]


class Runtime(Protocol):
    """A network that is loaded, checked and warm."""

    @property
    def provider(self) -> str:
        """The execution provider that runs it, for example "CPUExecutionProvider"."""

    def run(self, tensor: NDArray[np.float32]) -> Outputs:
        """Return the outputs for `tensor`, shape (images, channels, rows, columns)."""
