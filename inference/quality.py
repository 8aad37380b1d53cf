"""Step 4, second half: whether the pixels show what the model was made for, and what is worth saying about them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.head import BONE_HU, inside_skull
from inference.volume import Volume
from models.triage_spec import TriageSpec

SEARCH_PIXELS = 128
SEARCH_SLICES = 16
"""The skull is sought on a coarse copy; it need not be exact to tell a head from a phantom."""

MIN_INSIDE_FRACTION = 0.02
"""A brain of 140 by 170 mm in a field of view of 500 mm fills 0.08 of an image; in 61 patients of CT-ICH, 0.26 to
0.39."""

BRAIN_HU = (15.0, 70.0)
"""Median inside the skull. Brain is 20 to 45 HU and blood up to 90; the same patients, bleeding or not, gave 32 to 47.
Water is 0, so a phantom is told from a head."""

HIGHEST_CT_NUMBER = 4000.0
MAX_SHARE_ABOVE = 0.01
"""Only metal exceeds the 12-bit CT scale, and it fills no hundredth of the images; a wrong sign or scale does."""

MIN_SHARE_IN_WINDOW = 0.02
"""Fewer pixels than this strictly inside the model's window: the network would see black and white only."""

MIN_MAIN_DIRECTION = 0.5
"""Cosine between the rows of an axial image and the patient's left, and between its columns and the back."""

MAX_COLOURED = 0.02
"""Words, rulers and makers' marks in colour fill less; a Doppler box or an elastogram fills more."""

NOISY_HU = 10.0
"""Standard deviation of noise in brain; routine head CT is made for about 3 to 6 HU."""

METAL_HU = 2500.0
METAL_PIXELS = 20
"""Dense bone ends near 2000 HU; twenty pixels are a few square millimetres."""

TISSUE_HU = -15.0
TOUCHING_SHARE = 0.2
"""Tissue on more than a fifth of an edge of the image: the field of view cuts the head. A nose is narrower."""

SHORT_HEAD_MM = 100.0
"""From skull base to vertex a head measures 120 mm and more."""


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What is worth knowing about the images, and why the model may not answer on them (None when it may)."""

    notes: tuple[str, ...]
    refusal: str | None


def assess(volume: Volume, spec: TriageSpec) -> QualityReport:
    """Return what the pixels of `volume` say about themselves, measured against what the model of `spec` was made for.

    The first reason found against the images is the refusal; notes never refuse.
    """
    brain = _brain(volume, spec) if _is_head_ct(volume, spec) else None
    reasons = (reason(volume, spec, brain) for reason in REFUSALS)
    refusal = next((found for found in reasons if found), None)
    notes = tuple(found for note in NOTES if (found := note(volume, spec, brain))) if refusal is None else ()
    return QualityReport(notes, refusal)


@dataclass(frozen=True, slots=True)
class _Brain:
    """A coarse look inside the skull: `inside` marks it, on slices `::slice_step` and pixels `::pixel_step`."""

    inside: NDArray[np.bool_]
    slice_step: int
    pixel_step: int

    def of(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return values[:: self.slice_step, :: self.pixel_step, :: self.pixel_step]


def _is_head_ct(volume: Volume, spec: TriageSpec) -> bool:
    return volume.unit == "HU" and spec.preparation.crop == "head"


def _brain(volume: Volume, spec: TriageSpec) -> _Brain:
    pixel_step = max(1, round(max(volume.values.shape[1:]) / SEARCH_PIXELS))
    slice_step = max(1, len(volume.values) // SEARCH_SLICES)
    coarse = volume.values[::slice_step, ::pixel_step, ::pixel_step]
    return _Brain(inside_skull(np.clip(coarse, *spec.preparation.window)) > 0, slice_step, pixel_step)


def _other_unit(volume: Volume, spec: TriageSpec, _brain: _Brain | None) -> str | None:
    needed = spec.preparation.unit
    return None if volume.unit == needed else f"values in {volume.unit} units, needed {needed}"


def _not_numbers(volume: Volume, _spec: TriageSpec, _brain: _Brain | None) -> str | None:
    return None if np.isfinite(volume.values).all() else "pixels that are no numbers"


def _constant(volume: Volume, _spec: TriageSpec, _brain: _Brain | None) -> str | None:
    low, high = float(volume.values.min()), float(volume.values.max())
    return f"every pixel has the value {low:.0f}" if low == high else None


def _beyond_ct_scale(volume: Volume, _spec: TriageSpec, _brain: _Brain | None) -> str | None:
    share = float((volume.values > HIGHEST_CT_NUMBER).mean()) if volume.unit == "HU" else 0.0
    if share <= MAX_SHARE_ABOVE:
        return None
    return f"{share:.0%} of the pixels above {HIGHEST_CT_NUMBER:.0f} HU: these are no CT numbers"


def _turned(volume: Volume, spec: TriageSpec, _brain: _Brain | None) -> str | None:
    if spec.accepts.orientation != "axial" or volume.orientation is None:
        return None
    if volume.orientation[0] >= MIN_MAIN_DIRECTION and volume.orientation[4] >= MIN_MAIN_DIRECTION:
        return None
    return "images are turned or mirrored: rows must run to the patient's left and columns to the back"


def _in_colour(volume: Volume, _spec: TriageSpec, _brain: _Brain | None) -> str | None:
    if volume.coloured <= MAX_COLOURED:
        return None
    return f"{volume.coloured:.0%} of the pixels in colour, as in Doppler and elastography: needed grey images"


def _outside_window(volume: Volume, spec: TriageSpec, _brain: _Brain | None) -> str | None:
    if spec.preparation.normalisation == "percentiles":
        return None
    low, high = spec.preparation.window
    share = float(((volume.values > low) & (volume.values < high)).mean())
    if share >= MIN_SHARE_IN_WINDOW:
        return None
    return f"{share:.1%} of the pixels between {low:.0f} and {high:.0f} {volume.unit}: nothing that the model could see"


def _inverted(volume: Volume, _spec: TriageSpec, brain: _Brain | None) -> str | None:
    if brain is None:
        return None
    around = float(np.median(np.concatenate([edge.ravel() for edge in _edges(volume)])))
    return f"{around:.0f} HU around the head, air needed: values are inverted" if around >= BONE_HU else None


def _no_brain(volume: Volume, _spec: TriageSpec, brain: _Brain | None) -> str | None:
    if brain is None:
        return None
    largest = float(brain.inside.mean(axis=(1, 2)).max())
    if largest < MIN_INSIDE_FRACTION:
        return "no space enclosed by a skull"
    median = float(np.median(brain.of(volume.values)[brain.inside]))
    if BRAIN_HU[0] <= median <= BRAIN_HU[1]:
        return None
    return f"the space inside bone measures {median:.0f} HU, brain {BRAIN_HU[0]:.0f} to {BRAIN_HU[1]:.0f}"


def _few_slices(volume: Volume, spec: TriageSpec, _brain: _Brain | None) -> str | None:
    count, needed = len(volume.values), spec.accepts.min_slices
    return f"{count} of at least {needed} slices" if count < needed else None


def _unusual_spacing(volume: Volume, spec: TriageSpec, _brain: _Brain | None) -> str | None:
    spacing = volume.spacing_mm[0]
    if spacing is None or spec.accepts.slice_spacing_mm is None:
        return None
    low, high = spec.accepts.slice_spacing_mm
    return None if low <= spacing <= high else f"slices {spacing:.1f} mm apart, usually {low:.1f} to {high:.1f}"


def _short(volume: Volume, _spec: TriageSpec, brain: _Brain | None) -> str | None:
    spacing = volume.spacing_mm[0]
    if brain is None or spacing is None or (extent := spacing * len(volume.values)) >= SHORT_HEAD_MM:
        return None
    return f"covers {extent:.0f} mm, a head at least {SHORT_HEAD_MM:.0f}"


def _noisy(volume: Volume, _spec: TriageSpec, brain: _Brain | None) -> str | None:
    """Measure noise by the absolute response to a second-difference mask, which structure hardly touches.

    Source: J. Immerkær, Fast noise variance estimation, CVIU 64 (1996) 300-302; the median makes it robust to edges.
    """
    if brain is None:
        return None
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    fullest = int(brain.inside.sum(axis=(1, 2)).argmax())
    image = volume.values[fullest * brain.slice_step]
    response = np.abs(ndimage.convolve(image, mask))[:: brain.pixel_step, :: brain.pixel_step]
    # The mask has norm 6, and the median of |noise| is 0.6745 of its standard deviation.
    noise = float(np.median(response[brain.inside[fullest]])) / (6 * 0.6745)
    return f"noise {noise:.0f} HU in brain, usually below {NOISY_HU:.0f}" if noise > NOISY_HU else None


def _metal(volume: Volume, _spec: TriageSpec, _brain: _Brain | None) -> str | None:
    if volume.unit != "HU":
        return None
    slices = int(((volume.values > METAL_HU).sum(axis=(1, 2)) >= METAL_PIXELS).sum())
    return f"metal on {slices} of {len(volume.values)} slices" if slices else None


def _cut_off(volume: Volume, _spec: TriageSpec, brain: _Brain | None) -> str | None:
    if brain is None:
        return None
    shares = np.stack([(edge > TISSUE_HU).mean(axis=1) for edge in _edges(volume)])
    touching = int((shares.max(axis=0) > TOUCHING_SHARE).sum())
    return f"the field of view cuts the head on {touching} of {len(volume.values)} slices" if touching else None


def _edges(volume: Volume) -> tuple[NDArray[np.float32], ...]:
    """Return the first and last row and column of the slices, each of shape (slices, pixels)."""
    values = volume.values
    return values[:, 0], values[:, -1], values[:, :, 0], values[:, :, -1]


_Check = Callable[[Volume, TriageSpec, _Brain | None], str | None]

REFUSALS: tuple[_Check, ...] = (
    _other_unit,
    _not_numbers,
    _constant,
    _beyond_ct_scale,
    _in_colour,
    _turned,
    _inverted,
    _outside_window,
    _no_brain,
)
NOTES: tuple[_Check, ...] = (_few_slices, _unusual_spacing, _short, _noisy, _metal, _cut_off)
