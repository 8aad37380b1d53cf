"""Binary planes as whole numbers, one bit a pixel: one shift of a number moves every pixel of its plane."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class BitPlanes:
    """Planes of one size as whole numbers; a frame of empty pixels keeps the end of a row from the start of the next.

    Neighbours are the four of a pixel, and nothing but empty pixels lies around a plane. Unions and intersections are
    `|` and `&`, a number's `bit_count` is the area.
    """

    def __init__(self, rows: int, columns: int, reach: int) -> None:
        """Take the size of the planes, and by how many pixels `closed` and `opened` may look beyond a border."""
        self._rows, self._columns, self._frame = rows, columns, max(1, reach)
        self._width = columns + 2 * self._frame
        self._bits = self._width * (rows + 2 * self._frame)
        self._framed = (1 << self._bits) - 1
        self._plane: int = self.packed(np.ones((1, rows, columns), dtype=np.bool_))[0]

    def packed(self, masks: NDArray[np.bool_]) -> list[int]:
        """Return each of `masks` (n, rows, columns) as a number."""
        frame = self._frame
        framed = np.zeros((len(masks), self._rows + 2 * frame, self._width), dtype=np.bool_)
        framed[:, frame : frame + self._rows, frame : frame + self._columns] = masks
        packed = np.packbits(framed.reshape(len(masks), -1), axis=1, bitorder="little")
        return [int.from_bytes(one.tobytes(), "little") for one in packed]

    def unpacked(self, planes: Sequence[int]) -> NDArray[np.bool_]:
        """Return numbers as masks (n, rows, columns); the inverse of `packed`."""
        size, frame = (self._bits + 7) // 8, self._frame
        packed = np.frombuffer(b"".join(one.to_bytes(size, "little") for one in planes), dtype=np.uint8)
        bits = np.unpackbits(packed.reshape(len(planes), size), axis=1, count=self._bits, bitorder="little")
        framed = bits.view(np.bool_).reshape(len(planes), -1, self._width)
        return framed[:, frame : frame + self._rows, frame : frame + self._columns]

    def dilated(self, plane: int, times: int, within: int | None = None) -> int:
        """Return the binary dilation; `within` says which pixels may be added."""
        allowed = self._plane if within is None else within
        for _ in range(times):
            plane |= self._with_neighbours(plane) & allowed
        return plane

    def closed(self, plane: int, times: int) -> int:
        """Return the binary closing, of at most `reach` times."""
        for _ in range(times):
            plane = self._with_neighbours(plane)
        # What wraps round a row's end starts at the frame's outer edge and gets no further than through the frame.
        around = self._framed & ~plane
        for _ in range(times):
            around = self._with_neighbours(around)
        return self._plane & ~around

    def opened(self, plane: int, cells: int) -> int:
        """Return the binary opening by a square of `cells` (odd, at most 2 * reach + 1)."""
        for way in (1, self._width):
            eroded = plane
            for step in range(1, cells // 2 + 1):
                eroded &= plane << step * way & plane >> step * way
            plane = eroded
        for way in (1, self._width):
            spread = plane
            for step in range(1, cells // 2 + 1):
                spread |= plane << step * way | plane >> step * way
            plane = spread
        return plane

    def _with_neighbours(self, plane: int) -> int:
        return plane | plane << 1 | plane >> 1 | plane << self._width | plane >> self._width
