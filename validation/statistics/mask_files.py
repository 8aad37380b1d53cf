"""Masks from image files: NIfTI in three dimensions, PNG in two."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Pair
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from triage.errors import InvalidDataset
from validation.statistics.surfaces import Mask


@dataclass(frozen=True, slots=True)
class StoredMask:
    """A mask as stored: `values` True where the file is not zero, shape (slices, rows, columns) or (rows, columns).

    `spacing_mm` is that of the file, along the same axes, and `affine` leads from its voxels to mm; both are None
    where the file has none.
    """

    name: str
    values: Mask
    spacing_mm: tuple[float, ...] | None
    affine: NDArray[np.float64] | None


def read_mask(path: Path) -> StoredMask:
    """Return the mask of a NIfTI file (`.nii`, `.nii.gz`) or a PNG.

    Raises:
        InvalidDataset: the file cannot be read, is neither, or holds values that are no labels.
    """
    if not path.is_file():
        raise InvalidDataset(f"{path.name}: not there, needed a mask")
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return _nifti(path)
    if path.suffix.lower() == ".png":
        return _png(path)
    raise InvalidDataset(f"{path.name}: found {path.suffix or 'no suffix'}, needed .nii, .nii.gz or .png")


def require_same_grid(truth: StoredMask, predicted: StoredMask) -> None:
    """Raise InvalidDataset where the masks differ in shape, or lie in different places."""
    if truth.values.shape != predicted.values.shape:
        raise InvalidDataset(
            f"{predicted.name}: shape {predicted.values.shape}, needed {truth.values.shape} as {truth.name}"
        )
    if truth.affine is None or predicted.affine is None:
        return
    if not np.allclose(truth.affine, predicted.affine, rtol=0, atol=1e-2):
        raise InvalidDataset(f"{predicted.name}: another place or orientation (affine), needed that of {truth.name}")


def _nifti(path: Path) -> StoredMask:
    try:
        image = nibabel.load(path)
        if not isinstance(image, Nifti1Pair):
            raise InvalidDataset(f"{path.name}: another format ({type(image).__name__}), needed NIfTI")
        values, affine = np.asanyarray(image.dataobj), np.asarray(image.affine, dtype=np.float64)
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, zlib.error) as error:
        raise InvalidDataset(f"{path.name}: cannot be read ({type(error).__name__}), needed NIfTI") from error
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3):
        raise InvalidDataset(f"{path.name}: shape {values.shape}, needed two or three axes")
    _require_labels(path, values)
    # NIfTI counts columns first and slices last.
    spacing = np.linalg.norm(affine[:3, :3], axis=0)[: values.ndim][::-1]
    return StoredMask(path.name, (values != 0).T, tuple(map(float, spacing)), affine)


def _png(path: Path) -> StoredMask:
    try:
        with Image.open(path, formats=("PNG",)) as opened:
            # The numbers of a palette are labels; colours count by their brightness.
            plain = opened if opened.mode in ("1", "L", "P") or opened.mode.startswith("I") else opened.convert("L")
            values = np.asarray(plain)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise InvalidDataset(f"{path.name}: cannot be decoded ({type(error).__name__}), needed a PNG") from error
    return StoredMask(path.name, values != 0, None, None)


def _require_labels(path: Path, values: NDArray[Any]) -> None:
    if values.dtype.kind in "iub":
        return
    if values.dtype.kind != "f":
        raise InvalidDataset(f"{path.name}: {values.dtype} values, needed one whole number for each voxel")
    wrong = values[~(np.isfinite(values) & (values == np.round(values)))]
    if len(wrong):
        raise InvalidDataset(f"{path.name}: found the value {float(wrong[0]):g}, needed whole numbers (labels)")
