"""From a volume to the tensor of a network, and back from the network's grid to the pixels of an image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.head import Placement, inside_skull, place_on_head, whole_image
from inference.percentiles import percentiles
from inference.volume import Volume
from models.triage_spec import Preparation, TriageSpec
from triage.errors import UnsupportedPixels

ROWS_AT_ONCE = 64
"""Rows of a plane that are scaled together: few enough for their float64 to stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a network sees of a volume: `tensor` has shape (slices, channels, rows, columns), one entry per slice."""

    tensor: NDArray[np.float32]
    placement: Placement


def prepare(volume: Volume, spec: TriageSpec) -> Prepared:
    """Return the tensor that the model of `spec` needs, with the place of its grid on the images.

    Raises:
        UnsupportedPixels: the volume has another unit than the model was trained on.
    """
    if volume.unit != spec.preparation.unit:
        raise UnsupportedPixels(f"{spec.name}: values in {volume.unit}, needed {spec.preparation.unit}")
    placement, planes, inside = resampled_planes(volume, spec.preparation)
    return Prepared(
        stack_channels(planes, inside, neighbour_step(volume, spec.preparation), spec.preparation), placement
    )


def resampled_planes(
    volume: Volume, preparation: Preparation
) -> tuple[Placement, NDArray[np.float32], NDArray[np.float32]]:
    """Return the grid's place, the windowed slices on it and where the inside of the skull lies (0 or 1).

    Both arrays have shape (slices, rows, columns); the first lies in the preparation's `value_range`: still in the unit
    of the volume, or, between percentiles, from 0 to 1.
    """
    windowed = _windowed(volume.values, preparation)
    if preparation.crop == "head":
        placement = place_on_head(windowed, preparation.rows, preparation.columns)
    else:
        placement = whole_image(windowed.shape[1:], preparation.rows, preparation.columns)
    planes = placement.sample(_slabs(windowed, volume, preparation), outside=preparation.value_range[0])
    return placement, planes, inside_skull(planes) if "inside" in preparation.channels else np.zeros_like(planes)


def stack_channels(
    planes: NDArray[np.float32], inside: NDArray[np.float32], step: int, preparation: Preparation
) -> NDArray[np.float32]:
    """Return the tensor (slices, channels, rows, columns) from what `resampled_planes` gives.

    The first and last slices stand in for the neighbours that do not exist.
    """
    scaled = planes - preparation.centre
    scaled /= preparation.scale
    reached = max(0, len(planes) - step)
    tensor = np.empty((len(planes), len(preparation.channels), *planes.shape[1:]), dtype=np.float32)
    for name, channel in zip(preparation.channels, tensor.swapaxes(0, 1), strict=True):
        match name:
            case "this":
                channel[:] = scaled
            case "previous":
                channel[:step], channel[step:] = scaled[0], scaled[:reached]
            case "next":
                channel[:reached], channel[reached:] = scaled[step:], scaled[-1]
            case "mirrored":
                channel[:] = scaled[:, :, ::-1]
            case "inside":
                channel[:] = inside
    return tensor


def neighbour_step(volume: Volume, preparation: Preparation) -> int:
    """Return how many slices away the channels "previous" and "next" are taken: about `slab_mm`, at least one."""
    between_slices = volume.spacing_mm[0]
    return max(1, round(preparation.slab_mm / between_slices)) if between_slices else 1


def _windowed(values: NDArray[np.float32], preparation: Preparation) -> NDArray[np.float32]:
    if preparation.normalisation == "window":
        return np.clip(values, *preparation.window)
    low, high = percentiles(values, preparation.window)
    span = max(high - low, float(np.finfo(np.float32).tiny))
    scaled = np.empty(values.shape, dtype=np.float32)
    for plane, to in zip(values, scaled, strict=True):
        for start in range(0, len(plane), ROWS_AT_ONCE):
            rows = plane[start : start + ROWS_AT_ONCE].astype(np.float64)
            rows -= low
            rows /= span
            np.clip(rows, 0.0, 1.0, out=rows)
            to[start : start + ROWS_AT_ONCE] = rows
    return scaled


def _slabs(windowed: NDArray[np.float32], volume: Volume, preparation: Preparation) -> NDArray[np.float32]:
    """Average thin slices, which are noisier than the ones a network was trained on, over the slab it expects."""
    thickness = neighbour_step(volume, preparation)
    if thickness == 1:
        return windowed
    return ndimage.uniform_filter1d(windowed, size=thickness, axis=0, mode="nearest")
