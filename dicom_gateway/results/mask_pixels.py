"""The pixels of masks: out of the text in which findings carry them, and into the bits of Pixel Data."""

import base64
import binascii
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triage.errors import InvalidGeometry
from triage.findings import Mask

_AT_ONCE = 8
"""Eight frames of any size end at the border of a byte."""


def mask_pixels(mask: Mask) -> NDArray[np.uint8]:
    """Return the pixels (rows, columns) of a mask, 1 inside and 0 outside.

    Raises:
        InvalidGeometry: the text does not hold rows x columns bits.
    """
    pixels = mask.rows * mask.columns
    try:
        packed = zlib.decompress(base64.b64decode(mask.packed, validate=True))
    except (binascii.Error, zlib.error) as error:
        raise InvalidGeometry(f"mask of {mask.sop_instance_uid}: {error}, needed packed bits") from error
    if len(packed) != -(-pixels // 8):
        raise InvalidGeometry(
            f"mask of {mask.sop_instance_uid}: {len(packed)} bytes, needed {-(-pixels // 8)} for {pixels} pixels"
        )
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=pixels)
    return bits.reshape(mask.rows, mask.columns)


def packed_frames(masks: Sequence[Mask]) -> bytes:
    """Return the frames of a bit-packed image: the first pixel in the lowest bit, frames without gaps, an even length.

    Raises:
        InvalidGeometry: a mask does not hold what it says.

    Source: PS3.5 8.1.1 and annex D, figure D-1.
    """
    parts = (masks[start : start + _AT_ONCE] for start in range(0, len(masks), _AT_ONCE))
    packed = b"".join(
        np.packbits(np.concatenate([mask_pixels(mask).ravel() for mask in part]), bitorder="little").tobytes()
        for part in parts
    )
    return packed + b"\0" * (len(packed) % 2)
