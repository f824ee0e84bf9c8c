"""Fields of view of many detectors or corners, drawn on a raster in which points are looked up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.skymaps.arrays import Flags, Floats, Integers

LEVELS = 11
"""The raster has 2^LEVELS cells along each side; the coarsest level is one cell."""
_SIDE = 1 << LEVELS

Polygon = Sequence[tuple[float, float]]


class FieldRaster:
    """Polygons of a plane on a raster, and on ever coarser ones that say whether all of a cell is inside."""

    def __init__(self, polygons: Sequence[Polygon]) -> None:
        """`polygons` are corners (x, y), as in a footprint; they have an extent along x and along y."""
        corners = np.array([corner for polygon in polygons for corner in polygon])
        self._low = corners.min(axis=0)
        self._cell = (corners.max(axis=0) - self._low) / _SIDE
        inside = np.zeros((_SIDE, _SIDE), np.bool_)
        for polygon in polygons:
            self._draw(polygon, inside)
        self._any: list[Flags] = [inside]
        self._all: list[Flags] = [inside]
        for _ in range(LEVELS):
            some, every = self._any[-1], self._all[-1]
            half = len(some) // 2
            self._any.append(np.logical_or.reduce(some.reshape(half, 2, half, 2), axis=(1, 3)))
            self._all.append(np.logical_and.reduce(every.reshape(half, 2, half, 2), axis=(1, 3)))

    def holds(self, x: Floats, y: Floats) -> Flags:
        """Return True for points of the plane in a polygon, by the cell in which they lie."""
        column, row = self._cells_of(x, y)
        return _look_up(self._any[0], row, column)

    def compare(self, x: Floats, y: Floats, radius: float) -> tuple[Flags, Flags]:
        """Return around which points a circle lies wholly inside, and around which it may lie partly inside.

        `radius` is in the plane's units.
        """
        # Cells at least as wide as the circle: it lies in the four around its lower left corner.
        ratio = 2 * radius / float(self._cell.min())
        level = max(0, int(np.ceil(np.log2(ratio)))) if ratio > 0 else 0
        if level > LEVELS:
            return np.zeros(x.shape, np.bool_), np.ones(x.shape, np.bool_)
        column, row = self._cells_of(x - radius, y - radius)
        column, row = column >> level, row >> level
        some, every = np.zeros(x.shape, np.bool_), np.ones(x.shape, np.bool_)
        for down in (0, 1):
            for right in (0, 1):
                some |= _look_up(self._any[level], row + down, column + right)
                every &= _look_up(self._all[level], row + down, column + right)
        return every, some & ~every

    def _cells_of(self, x: Floats, y: Floats) -> tuple[Integers, Integers]:
        far = 4.0 * _SIDE
        column = np.clip(np.floor((x - self._low[0]) / self._cell[0]), -far, far).astype(np.int64)
        row = np.clip(np.floor((y - self._low[1]) / self._cell[1]), -far, far).astype(np.int64)
        return column, row

    def _draw(self, polygon: Polygon, inside: Flags) -> None:
        """Add the cells whose centres lie in a polygon: in each row, between each two crossings of edges."""
        corners = (np.array(polygon) - self._low) / self._cell
        (left, bottom), (right, top) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
        columns, rows = slice(int(left), int(right)), slice(int(bottom), int(top))
        centres = np.arange(rows.start, rows.stop) + 0.5
        crossings = np.zeros((centres.size, columns.stop - columns.start + 1), np.int32)
        for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            crossed = np.flatnonzero((y1 > centres) != (y2 > centres))
            if not crossed.size:
                continue
            at = x1 + (x2 - x1) * (centres[crossed] - y1) / (y2 - y1) - columns.start
            first = np.clip(np.ceil(at - 0.5), 0, crossings.shape[1] - 1).astype(np.int64)
            np.add.at(crossings, (crossed, first), 1)
        inside[rows, columns] |= np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1


def _look_up(cells: Flags, row: Integers, column: Integers) -> Flags:
    size = len(cells)
    known = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    found = np.zeros(row.shape, np.bool_)
    found[known] = cells[row[known], column[known]]
    return found
