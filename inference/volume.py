"""A stack of images as numbers, in one unit, ordered along one axis, with its place in the patient."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.triage_spec import Unit
from triage.errors import InvalidGeometry
from triage.identifiers import SopInstanceUid

Vector = tuple[float, float, float]
Cosines = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Volume:
    """The pixels of one series: `values` has shape (slices, rows, columns), caudal to cranial for axial slices.

    `unit` is Hounsfield units, or "stored": what the scanner stored, after its own modality transformation.
    `spacing_mm` is (between slices along their normal, between rows, between columns), None where it is not known.
    `sop_instance_uids` and `frame_numbers` name the image of each slice; the frame counts from 1 and is None for
    single-frame images. `origin_mm` is the centre of voxel (0, 0, 0), `orientation` the direction of increasing
    columns and then of increasing rows, `slice_step_mm` the way from one slice to the next (for a single slice its
    unit normal, for slices at uneven distances None), all in the patient coordinate system (LPS) and all None where
    the images do not say.
    Images are never flipped: rows and columns are those of the image matrix. `coloured` is the largest share of an
    image's pixels that came in colour; `values` are their luminance.
    """

    values: NDArray[np.float32]
    unit: Unit
    spacing_mm: tuple[float | None, float | None, float | None]
    sop_instance_uids: tuple[SopInstanceUid, ...]
    frame_numbers: tuple[int | None, ...]
    origin_mm: Vector | None = None
    orientation: Cosines | None = None
    slice_step_mm: Vector | None = None
    coloured: float = 0.0

    @property
    def affine(self) -> NDArray[np.float64]:
        """The 4x4 matrix from voxel index (slice, row, column, 1) to patient position in mm (LPS).

        Raises:
            InvalidGeometry: the images do not say where they lie.

        Source: PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1. There the first index counts columns; here slices come first.
        """
        _, between_rows, between_columns = self.spacing_mm
        if self.origin_mm is None or self.orientation is None or self.slice_step_mm is None:
            raise InvalidGeometry(f"{self.sop_instance_uids[0]}: position or orientation absent, needed both")
        if between_rows is None or between_columns is None:
            raise InvalidGeometry(f"{self.sop_instance_uids[0]}: pixel spacing absent, needed to measure in mm")
        affine = np.eye(4)
        affine[:3, 0] = self.slice_step_mm
        affine[:3, 1] = np.array(self.orientation[3:]) * between_rows
        affine[:3, 2] = np.array(self.orientation[:3]) * between_columns
        affine[:3, 3] = self.origin_mm
        return affine

    def to_patient(self, voxels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (slice, row, column) indices, shape (n, 3), as LPS positions in mm; whole numbers are centres."""
        affine = self.affine
        return np.asarray(voxels @ affine[:3, :3].T + affine[:3, 3])

    def to_voxel(self, positions_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return LPS positions in mm, shape (n, 3), as (slice, row, column) indices; the inverse of `to_patient`."""
        affine = self.affine
        return np.asarray(np.linalg.solve(affine[:3, :3], (positions_mm - affine[:3, 3]).T).T)
