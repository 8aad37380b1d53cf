"""What is assumed about images that came without a DICOM header: how large a pixel is and where a slice lies."""

from collections.abc import Mapping
from dataclasses import dataclass

from inference.volume import Cosines, Vector

SLICE_SPACING_MM = 5.0
"""Routine head CT and clinical FLAIR are read in slices of 5 mm; CT-ICH states 5 mm."""

AXIAL: Cosines = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""Rows run to the patient's left, columns to the back, as axial images are shown."""

FIELD_OF_VIEW_MM: Mapping[tuple[str, str], float] = {
    ("CT", "HEAD"): 250.0,
    ("CT", ""): 350.0,
    ("MR", "BRAIN"): 240.0,
    ("MR", ""): 300.0,
    ("DX", "CHEST"): 430.0,
    ("DX", ""): 430.0,
}
"""Width of the image in mm by modality and body part, "" for any other part: a usual head CT and FLAIR field of view,
a body CT, a detector of 43 cm. Ultrasound has none: stills are cropped, and a made-up scale could be measured on."""


@dataclass(frozen=True, slots=True)
class AssumedGeometry:
    """Of one modality and body part; `width_mm` is None where no scale is assumed, `slices` False for single images."""

    width_mm: float | None
    slices: bool

    def pixel_spacing_mm(self, columns: int) -> float | None:
        """Return the distance of pixel centres of an image of so many columns, the same down and across."""
        return self.width_mm / columns if self.width_mm else None

    def position_mm(self, rank: int, rows: int, columns: int) -> Vector | None:
        """Return the centre of the first pixel (LPS) of the `rank`-th slice from below, counted from 0.

        The middle of the first slice is the origin; slices follow one another along +z, towards the head.
        """
        spacing = self.pixel_spacing_mm(columns)
        if not self.slices or spacing is None:
            return None
        return (-(columns - 1) / 2 * spacing, -(rows - 1) / 2 * spacing, rank * SLICE_SPACING_MM)

    def as_text(self) -> str:
        """Return the assumption in one sentence."""
        if self.width_mm is None:
            return "No pixel spacing is assumed."
        sentence = f"Images are assumed to be {self.width_mm:.0f} mm wide"
        if not self.slices:
            return f"{sentence}."
        return f"{sentence} and slices {SLICE_SPACING_MM:.0f} mm apart, axial, each next one nearer to the head."


def assumed_geometry(modality: str, body_part: str) -> AssumedGeometry:
    """Return what is assumed about images of `modality` and `body_part`."""
    width_mm = FIELD_OF_VIEW_MM.get((modality, body_part)) or FIELD_OF_VIEW_MM.get((modality, ""))
    return AssumedGeometry(width_mm, slices=modality in ("CT", "MR"))


def missing_slices(orders: tuple[float | None, ...]) -> tuple[int, ...]:
    """Return the whole numbers between the first and the last of `orders` that are not among them.

    Such a set has left slices out; those that are there are placed one after the other, without a hole.
    """
    numbers = [int(order) for order in orders if order is not None and order.is_integer()]
    if len(numbers) < len(orders) or not numbers:
        return ()
    return tuple(sorted(set(range(min(numbers), max(numbers) + 1)) - set(numbers)))
