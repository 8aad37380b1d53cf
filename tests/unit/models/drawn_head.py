"""A head drawn with simple shapes, in HU: enough skull to be found, enough brain to bleed into."""

import numpy as np
from numpy.typing import NDArray

from inference.volume import Volume
from triage.identifiers import SopInstanceUid


def draw_head(
    pixels: int = 256,
    pixel_mm: float = 1.0,
    slices: int = 12,
    centre_mm: tuple[float, float] = (0.0, 0.0),
    turn_degrees: float = 0.0,
    bleed: bool = False,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Return (slices, pixels, pixels) in HU: an upright oval skull 170 mm by 130 mm outside, 8 mm thick.

    The head grows from the first to the middle slice and shrinks again. `centre_mm` is (down, right) of the middle
    of the image. A bleed is a ball of 15 mm radius and 70 HU, 30 mm to the right, in the middle four slices.
    """
    random = np.random.default_rng(seed)
    position = (np.arange(pixels) + 0.5) * pixel_mm - pixels * pixel_mm / 2
    down, right = position[:, np.newaxis] - centre_mm[0], position[np.newaxis, :] - centre_mm[1]
    angle = np.radians(turn_degrees)
    along, across = down * np.cos(angle) + right * np.sin(angle), right * np.cos(angle) - down * np.sin(angle)
    planes = []
    for index in range(slices):
        size = 1 - 0.4 * abs(2 * index / max(1, slices - 1) - 1)
        plane = np.full((pixels, pixels), -1000.0)
        plane[_oval(along, across, 90 * size, 70 * size)] = 40
        plane[_oval(along, across, 85 * size, 65 * size)] = 900
        plane[_oval(along, across, 77 * size, 57 * size)] = 33
        plane[_oval(along, across - 8, 20 * size, 4 * size) | _oval(along, across + 8, 20 * size, 4 * size)] = 6
        if bleed and abs(index - (slices - 1) / 2) < 2:
            plane[_oval(along, across - 30, 15, 15)] = 70
        planes.append(plane + random.normal(0, 3, plane.shape))
    return np.stack(planes).astype(np.float32)


def as_volume(
    values: NDArray[np.float32], spacing_mm: tuple[float | None, float | None, float | None] = (5.0, 1.0, 1.0)
) -> Volume:
    """Return a volume with the instance UIDs "1.2.1", "1.2.2" and so on."""
    uids = tuple(SopInstanceUid(f"1.2.{number}") for number in range(1, len(values) + 1))
    return Volume(values, "HU", spacing_mm, uids, (None,) * len(values))


def _oval(along: NDArray[np.float64], across: NDArray[np.float64], long: float, short: float) -> NDArray[np.bool_]:
    return np.asarray((along / long) ** 2 + (across / short) ** 2 < 1)
